"""The jobs on detent, found by the worker in the session's project."""

from __future__ import annotations

import time

from detent import task


@task(id="noop")
async def noop(number: int) -> int:
    return number


@task(id="stamp")
async def stamp() -> int:
    return time.monotonic_ns()


@task(id="fan_out")
async def fan_out(children: int) -> float:
    began = time.perf_counter()
    results = await noop.batch_trigger_and_wait(list(range(children))).unwrap()
    assert results == list(range(children))
    return time.perf_counter() - began


@task(id="chain")
async def chain(length: int) -> float:
    began = time.perf_counter()
    for number in range(length):
        assert await noop.trigger_and_wait(number).unwrap() == number
    return time.perf_counter() - began
