"""Durable steps in one run, one after the other; timed by the run itself, from its first line to its last."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks.durable.measure import Measure, Sizes
from benchmarks.durable.project import Project

__all__ = ["detent_full", "detent_normal", "peer"]

#: Runs of each shape; the figure of a pass is their median.
_REPEATS = 5


def detent_normal(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """`detent dev` as it is: SQLite, synchronous=NORMAL."""
    yield from _detent(folder, sizes, "NORMAL")


def detent_full(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """With synchronous=FULL, as `detent server` has it and as DBOS leaves SQLite."""
    yield from _detent(folder, sizes, "FULL")


def _detent(folder: Path, sizes: Sizes, sync: str) -> Iterator[Measure]:
    with Project(folder, environment={"DETENT_SQLITE_SYNC": sync}) as project:
        jobs = project.jobs
        shapes = {
            "async task, async steps": jobs.async_steps,
            "async task, plain steps": jobs.mixed_steps,
            "plain task, plain steps": jobs.plain_steps,
        }
        for what, job in shapes.items():
            project.run(job, 20)
            yield _figure(what, [project.run(job, sizes.steps) for _ in range(_REPEATS)])


def peer(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """DBOS in process on SQLite, as it leaves it (journal_mode=delete, synchronous=FULL)."""
    from dbos import DBOS

    from benchmarks.jobs import dbos_jobs

    dbos_jobs.configure(f"sqlite:///{folder / 'dbos.sqlite'}")
    DBOS.launch()
    try:

        async def shape(count: int) -> float:
            handle = await DBOS.start_workflow_async(dbos_jobs.async_steps, count)
            return float(await handle.get_result(polling_interval_sec=dbos_jobs.RESULT_POLL_SECONDS))

        def plain(count: int) -> float:
            handle = DBOS.start_workflow(dbos_jobs.plain_steps, count)
            return float(handle.get_result(polling_interval_sec=dbos_jobs.RESULT_POLL_SECONDS))

        async def all_async() -> list[float]:
            await shape(20)
            return [await shape(sizes.steps) for _ in range(_REPEATS)]

        yield _figure("async task, async steps", asyncio.run(all_async()))
        plain(20)
        yield _figure("plain task, plain steps", [plain(sizes.steps) for _ in range(_REPEATS)])
    finally:
        DBOS.destroy()


def _figure(what: str, seconds: list[float]) -> Measure:
    return Measure("steps", what, sorted(seconds)[len(seconds) // 2], "s", seconds)
