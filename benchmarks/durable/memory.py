"""What runs that wait cost in memory."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Iterator
from contextvars import ContextVar, copy_context
from pathlib import Path

import psutil

from benchmarks.durable.measure import Measure, Sizes
from benchmarks.durable.project import Project

__all__ = ["memory"]


def memory(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """Resident memory of processes, before and after runs have parked."""
    yield Measure("memory", "a bare asyncio task that waits", _bare(sizes.parked) / 1024, "KiB")
    with Project(folder) as project:
        jobs = project.jobs
        # The first thousand make room in pools that later ones use, too.
        before = _parked(project, jobs.parks, min(1_000, sizes.parked // 2), 0)
        after = _parked(project, jobs.parks, sizes.parked, min(1_000, sizes.parked // 2))
        runs = sizes.parked - min(1_000, sizes.parked // 2)
        yield Measure("memory", "a parked async run in the worker", (after - before) / runs / 1024, "KiB")
        project.trigger_many(jobs.parks, list(range(sizes.waiting - sizes.parked)))
        project.until(lambda: project.states().get("WAITING", 0) >= sizes.waiting, 400)
        worker = project.workers()[0]
        server = project.process_tree()[0]
        waiting = f"{sizes.waiting:,} waiting runs"
        yield Measure("memory", f"{waiting}: the worker", worker.memory_info().rss / 1e6, "MB")
        yield Measure("memory", f"{waiting}: the server", server.memory_info().rss / 1e6, "MB")
    with Project(folder / "plain") as project:
        first = sizes.plain_parked // 4
        before = _parked(project, project.jobs.plain_parks, first, 0)
        after = _parked(project, project.jobs.plain_parks, sizes.plain_parked, first)
        runs = sizes.plain_parked - first
        yield Measure("memory", "a parked plain run in the worker", (after - before) / runs / 1024, "KiB")


def _parked(project: Project, job: object, until: int, already: int) -> int:
    """Resident memory of the worker once `until` runs are parked."""
    project.trigger_many(job, list(range(until - already)))
    project.until(lambda: project.states().get("WAITING", 0) >= until, 120)
    time.sleep(0.5)  # the worker takes the last answers
    project.run(project.jobs.gauge)
    return int(project.run(project.jobs.gauge))


_ONE: ContextVar[int] = ContextVar("one")


def _bare(tasks: int) -> float:
    """Bytes that one asyncio task costs which waits for a future in a coroutine, with a context of its own."""

    async def user(number: int, waited: asyncio.Future[None]) -> None:
        await waited

    async def main() -> float:
        loop = asyncio.get_running_loop()
        kept: list[tuple[asyncio.Future[None], asyncio.Task[None]]] = []

        def add(count: int) -> None:
            for number in range(count):
                context = copy_context()
                context.run(_ONE.set, number)
                waited: asyncio.Future[None] = loop.create_future()
                kept.append((waited, asyncio.Task(user(number, waited), loop=loop, context=context)))

        async def rss() -> int:
            await asyncio.sleep(0)
            gc.collect()
            return int(psutil.Process().memory_info().rss)

        add(1_000)
        before = await rss()
        add(tasks)
        cost = (await rss() - before) / tasks
        for waited, _ in kept:
            waited.cancel()
        await asyncio.sleep(0)
        return cost

    return asyncio.run(main())
