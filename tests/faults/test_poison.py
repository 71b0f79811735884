"""F17: runs that take their worker down, again and again, and what becomes of their neighbours."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from detent import Detent

from .project import Project, Service, wait_for

TASKS = """
import asyncio
import ctypes
import os
import time
from pathlib import Path

from detent import Context, Retry, task

EFFECTS = Path(__file__).parent.parent / "effects.log"
GATES = Path(__file__).parent.parent / "gates"


def effect(*words):
    with EFFECTS.open("a") as log:
        log.write(" ".join(map(str, words)) + "\\n")


def kill_the_process(how):
    if how == "exit":
        os._exit(139)
    if how == "null":
        ctypes.string_at(0)
    held = []
    while True:
        held.append(bytearray(64 << 20))


@task(id="poison")
def poison(how: str, ctx: Context) -> None:
    effect("poison", ctx.run.id, os.getpid())
    while not (GATES / "poison").exists():
        time.sleep(0.005)
    kill_the_process(how)


@task(id="poison-async")
async def poison_async(how: str, ctx: Context) -> None:
    effect("poison", ctx.run.id, os.getpid())
    while not (GATES / "poison").exists():
        await asyncio.sleep(0.005)
    kill_the_process(how)


@task(id="late-poison")
async def late_poison(ctx: Context) -> None:
    await child.trigger(1)
    effect("poison", ctx.run.id, os.getpid())
    os._exit(1)


@task(id="child")
async def child(n: int) -> int:
    return n


@task(id="neighbour")
def neighbour(ctx: Context) -> int:
    effect("neighbour", ctx.run.id, os.getpid())
    while not (GATES / "door").exists():
        time.sleep(0.01)
    return ctx.attempt.crashes


@task(id="neighbour-async")
async def neighbour_async(ctx: Context) -> int:
    effect("neighbour", ctx.run.id, os.getpid())
    while not (GATES / "door").exists():
        await asyncio.sleep(0.01)
    return ctx.attempt.crashes


@task(id="leaves", retry=Retry(max_attempts=1))
def leaves(how: str) -> None:
    raise SystemExit(4) if how == "exit" else KeyboardInterrupt()


@task(id="leaves-async", retry=Retry(max_attempts=1))
async def leaves_async(how: str) -> None:
    raise SystemExit(4) if how == "exit" else KeyboardInterrupt()


@task(id="blocks-the-loop")
async def blocks_the_loop(ctx: Context) -> None:
    effect("blocks", ctx.run.id, os.getpid())
    while not (GATES / "loop").exists():
        time.sleep(0.01)


@task(id="swallows", retry=Retry(max_attempts=1))
def swallows(ctx: Context) -> None:
    effect("swallows", ctx.run.id, os.getpid())
    while not (GATES / "enough").exists():
        try:
            time.sleep(0.01)
        except BaseException:
            pass
"""
#: For a test in which a lease passes.
LEASE_MS = 1_500
SETTINGS = """
[worker]
stop_grace = 0.3
"""


@contextmanager
def served(folder: Path, tasks: str = TASKS, **env: str) -> Iterator[tuple[Project, Service, Detent]]:
    with Project(folder / "p", tasks, SETTINGS) as project:
        dev = project.dev(**env)
        yield project, dev, project.client()


def _apart(project: Project) -> list[list[str]]:
    """What neighbours have begun elsewhere than in the two workers that the poison took down."""
    workers = {words[1] for words in project.effects("poison")[:2]}
    return [words for words in project.effects("neighbour") if words[1] not in workers]


@pytest.mark.parametrize(
    ("name", "how", "cause"),
    [("poison", "exit", "exit code 139"), ("poison-async", "null", "killed by SIGSEGV")],
)
def test_a_poisonous_run_takes_its_neighbours_down_twice_at_the_most(
    tmp_path: Path, name: str, how: str, cause: str
) -> None:
    with served(tmp_path) as (project, dev, client):
        neighbours = [client.tasks.trigger(kind) for kind in ("neighbour", "neighbour-async") for _ in range(2)]
        wait_for("the neighbours begin", lambda: len(project.effects("neighbour")) == 4)
        poison = client.tasks.trigger(name, how)
        wait_for("the poison begins", lambda: project.effects("poison"))
        [worker] = dev.workers()
        project.open_gate("poison")
        killed_at = time.monotonic()
        dev.hear("worker")
        replaced_s = time.monotonic() - killed_at
        # The poison may have worked before a neighbour said that it began again, and before its worker was heard of.
        wait_for("the neighbours begin apart", lambda: len(_apart(project)) == 4)
        client.runs.poll(poison.id)
        crashed = client.runs.retrieve(poison.id)
        print(f"\nthe worker was replaced {replaced_s:.2f} s after the poison began to work")

        [replacement] = dev.workers()
        assert replacement.pid != worker.pid
        project.open_gate("door")
        report = project.finished(5)
        assert report.states == {"COMPLETED": 4, "CRASHED": 1}
        assert [client.runs.retrieve(run.id).output for run in neighbours] == [2] * 4
        assert len(project.effects("neighbour")) <= 12
        assert [process.pid for process in dev.workers()] == [replacement.pid]
        pids = {words[1] for words in [*project.effects("poison")[2:], *_apart(project)]}
        assert len(pids) == 1 + 4
        assert str(replacement.pid) not in pids
        assert crashed.error is not None
        assert cause in crashed.error.message


def test_of_many_runs_that_a_poisonous_one_takes_along_each_finishes(tmp_path: Path) -> None:
    with served(tmp_path) as (project, _dev, client):
        for _ in range(12):
            client.tasks.trigger("neighbour-async")
        wait_for("the neighbours begin", lambda: len(project.effects("neighbour")) == 12)
        project.open_gate("poison")
        client.tasks.trigger("poison-async", "exit")
        # A worker that dies at once is not heard of, so the poison tells how often it has worked.
        wait_for("the poison works again", lambda: len(project.effects("poison")) == 2)
        project.open_gate("door")
        report = project.finished(13)
        assert report.states == {"COMPLETED": 12, "CRASHED": 1}
        assert len(project.effects("poison")) == 3


def test_a_poisonous_run_crashes_with_the_last_step_that_it_finished(tmp_path: Path) -> None:
    with served(tmp_path) as (project, _dev, client):
        poison = client.tasks.trigger("late-poison")
        project.finished(2)
        crashed = client.runs.retrieve(poison.id)
        assert crashed.status == "CRASHED"
        assert crashed.error is not None
        assert "exit code 1; its last finished trigger was 'child' (" in crashed.error.message
        assert len(project.effects("poison")) == 3


def test_leaving_the_interpreter_is_an_ordinary_failure_of_that_run(tmp_path: Path) -> None:
    with served(tmp_path) as (project, dev, client):
        [worker] = dev.workers()
        runs = [client.tasks.trigger(name, how) for name in ("leaves", "leaves-async") for how in ("exit", "interrupt")]
        assert project.finished(4).states == {"FAILED": 4}
        errors = [client.runs.retrieve(run.id).error for run in runs]
        assert [error.type for error in errors if error] == ["SystemExit", "KeyboardInterrupt"] * 2
        assert [process.pid for process in dev.workers()] == [worker.pid]


def test_a_run_that_blocks_the_event_loop_loses_no_lease_and_its_neighbours_neither(tmp_path: Path) -> None:
    with served(tmp_path, DETENT_LEASE_MS=str(LEASE_MS)) as (project, dev, client):
        client.tasks.trigger("neighbour-async")
        client.tasks.trigger("neighbour")
        wait_for("the neighbours begin", lambda: len(project.effects("neighbour")) == 2)
        client.tasks.trigger("blocks-the-loop")
        wait_for("the loop is blocked", lambda: project.effects("blocks"))
        [worker] = dev.workers()
        blocked = project.beats(worker.pid)
        wait_for("a lease is over", lambda: project.beats(worker.pid) > blocked + LEASE_MS)
        project.open_gate("door")
        project.open_gate("loop")
        report = project.finished(3)
        assert (report.states, report.lost_leases) == ({"COMPLETED": 3}, 0)


def test_a_run_that_swallows_every_signal_is_left_behind_and_its_neighbours_finish(tmp_path: Path) -> None:
    with served(tmp_path) as (project, _dev, client):
        client.tasks.trigger("neighbour")
        run = client.tasks.trigger("swallows")
        wait_for("it begins", lambda: project.effects("swallows"))
        client.runs.cancel(run.id)
        assert client.runs.poll(run.id).status == "CANCELED"
        project.open_gate("door")
        report = project.finished(2)
        assert (report.states, report.lost_leases) == ({"COMPLETED": 1, "CANCELED": 1}, 0)
        project.open_gate("enough")


def test_an_isolated_run_that_eats_memory_harms_nobody_else(tmp_path: Path) -> None:
    isolated = TASKS.replace('@task(id="poison")', '@task(id="poison", isolation="process", machine="micro")')
    with served(tmp_path, isolated) as (project, dev, client):
        [worker] = dev.workers()
        client.tasks.trigger("neighbour")
        wait_for("the neighbour begins", lambda: project.effects("neighbour"))
        project.open_gate("poison")
        poison = client.tasks.trigger("poison", "memory")
        told = client.runs.poll(poison.id)
        assert (told.status, told.error.code) == ("CRASHED", "out_of_memory")  # type: ignore[union-attr]
        project.open_gate("door")
        assert project.finished(2).lost_leases == 0
        assert [process.pid for process in dev.workers()] == [worker.pid]
        assert psutil.pid_exists(worker.pid)
