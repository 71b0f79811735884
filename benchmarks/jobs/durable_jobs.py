"""The jobs of the durable benchmarks on detent, found by the workers of a session's project."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from pathlib import Path

import psutil

from detent import step, task, wait
from detent.sync import step as step_sync
from detent.sync import wait as wait_sync


async def _number(number: int) -> int:
    return number


def _plain_number(number: int) -> int:
    return number


# Steps: each returns the seconds from its first line to its last.


@task(id="async_steps")
async def async_steps(count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        assert await step("one", _number, number) == number
    return time.perf_counter() - began


@task(id="mixed_steps")
async def mixed_steps(count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        assert await step("one", _plain_number, number) == number
    return time.perf_counter() - began


@task(id="plain_steps")
def plain_steps(count: int) -> float:
    began = time.perf_counter()
    for number in range(count):
        assert step_sync("one", _plain_number, number) == number
    return time.perf_counter() - began


# Chains: likewise.


@task(id="noop")
async def noop(number: int) -> int:
    return number


@task(id="completes")
async def completes(token: str) -> None:
    await wait.complete_token(token)


@task(id="child_chain")
async def child_chain(length: int) -> float:
    began = time.perf_counter()
    for number in range(length):
        assert await noop.trigger_and_wait(number).unwrap() == number
    return time.perf_counter() - began


@task(id="wait_chain")
async def wait_chain(length: int) -> float:
    began = time.perf_counter()
    for _ in range(length):
        token = await wait.create_token()
        await completes.trigger(token.id)
        await wait.for_token(token)
    return time.perf_counter() - began


# Resume.


@task(id="ends_late")
async def ends_late(seconds: float) -> int:
    await asyncio.sleep(seconds)
    return time.monotonic_ns()


@task(id="resumes")
async def resumes(children: int) -> float:
    """Milliseconds from the last line of the last child to the next line of this run."""
    results = await ends_late.batch_trigger_and_wait([0.03 + 0.001 * n for n in range(children)]).unwrap()
    return (time.monotonic_ns() - max(results)) / 1e6


# Recovery.


def _tell(folder: str, name: str) -> None:
    """Note that the run executes here, now."""
    line = f"{name} {os.getpid()} {time.monotonic_ns()}\n".encode()
    places = os.open(Path(folder) / "starts", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(places, line)
    finally:
        os.close(places)


@task(id="holds")
async def holds(place: tuple[str, str]) -> None:
    folder, name = place
    _tell(folder, name)
    while not (Path(folder) / "released").exists():  # noqa: ASYNC110  # another process makes it
        await asyncio.sleep(0.1)


@task(id="plain_holds")
def plain_holds(place: tuple[str, str]) -> None:
    folder, name = place
    _tell(folder, name)
    while not (Path(folder) / "released").exists():
        time.sleep(0.1)


# Memory, and threads that wait.


@task(id="parks")
async def parks(number: int) -> None:
    await wait.for_(hours=1)


@task(id="plain_parks")
def plain_parks(number: int) -> None:
    wait_sync.for_(hours=1)


@task(id="gauge")
async def gauge() -> int:
    """The resident memory of this worker, in bytes."""
    gc.collect()
    return psutil.Process().memory_info().rss


@task(id="stamp")
async def stamp() -> int:
    return time.monotonic_ns()


@task(id="plain_stamp")
def plain_stamp() -> int:
    return time.monotonic_ns()
