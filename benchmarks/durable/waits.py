"""Runs that wait: how soon they go on, what a link of a chain costs, what threads that wait hold up, a herd."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.durable.measure import Measure, Sizes
from benchmarks.durable.project import Project

__all__ = ["busy_threads", "chains", "herd", "resume_cold", "resume_warm"]

_CHILDREN = 3


def resume_warm(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """From the last line of the last child to the next line of its parent, which was parked."""
    yield from _resume(folder, sizes, "warm", "never")


def resume_cold(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """Likewise, where the parent was thrown out of memory at its wait and is replayed."""
    yield from _resume(folder, sizes, "cold", "always")


def _resume(folder: Path, sizes: Sizes, what: str, replay: str) -> Iterator[Measure]:
    with Project(folder, environment={"DETENT_REPLAY": replay}) as project:
        parent = project.jobs.resumes
        for _ in range(5):
            project.run(parent, _CHILDREN)
        alone = [project.run(parent, _CHILDREN) for _ in range(sizes.resumes)]
        yield _latency("resume", f"{what}, one parent at a time", alone)
        handles = [parent.sync.trigger(_CHILDREN).id for _ in range(sizes.together)]
        yield _latency("resume", f"{what}, {sizes.together} parents at once", [project.result(one) for one in handles])


def chains(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """Milliseconds for each link of a chain in one run."""
    with Project(folder) as project:
        jobs = project.jobs
        for job in (jobs.async_steps, jobs.child_chain, jobs.wait_chain):
            project.run(job, 50)
        for length in sizes.chains:
            for what, job in (
                ("steps", jobs.async_steps),
                ("child calls", jobs.child_chain),
                ("waits", jobs.wait_chain),
            ):
                yield Measure("chains", f"{what}|{length}", project.run(job, length) * 1000 / length, "ms/link")


def busy_threads(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """With 2 threads, and a hundred times as many plain runs that wait: how soon a new one starts."""
    with Project(folder, arguments=["--threads", "2"]) as project:
        jobs = project.jobs
        yield _latency("threads", "no run waits", _starts(project, sizes.starts))
        project.trigger_many(jobs.plain_parks, list(range(sizes.busy)))
        project.until(lambda: project.states().get("WAITING", 0) >= sizes.busy, 60)
        yield _latency("threads", f"{sizes.busy} plain runs wait", _starts(project, sizes.starts))


def _starts(project: Project, times: int) -> list[float]:
    samples = []
    for _ in range(times):
        before = time.monotonic_ns()
        samples.append((project.run(project.jobs.plain_stamp) - before) / 1e6)
        time.sleep(0.05)
    return samples


def herd(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """Trigger calls over HTTP while thousands of timers fall due in one second, each of which starts a run."""
    with Project(folder) as project:
        jobs = project.jobs
        idle = _Triggers(project)
        time.sleep(2)
        yield _latency("herd", "idle", idle.stop())
        due = datetime.now(UTC) + timedelta(seconds=15)
        share = max(1, sizes.timers // 20)
        # Spread over one second, in steps of a twentieth.
        for part in range(20):
            project.trigger_many(jobs.noop, list(range(share)), delay=due + timedelta(milliseconds=50 * part))
        if datetime.now(UTC) > due - timedelta(seconds=1):
            raise RuntimeError("it took too long to set the timers; they fall due already")
        time.sleep((due - datetime.now(UTC)).total_seconds() - 0.5)
        triggers = _Triggers(project)
        began = time.monotonic()
        project.until(lambda: not project.states().get("DELAYED"), 60)
        timers_done = time.monotonic() - began - 0.5
        during = triggers.stop()
        project.until(lambda: not project.states(), 100)
        yield _latency("herd", f"{share * 20:,} timers due in one second", during)
        yield Measure("herd", "seconds until every timer was handled", timers_done, "s")
        yield Measure("herd", "seconds until every run had ended", time.monotonic() - began - 0.5, "s")


class _Triggers:
    """A caller that triggers one run after the other until it is stopped."""

    def __init__(self, project: Project) -> None:
        self._job: Any = project.jobs.stamp
        self._samples: list[float] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._go_on)
        self._thread.start()

    def stop(self) -> list[float]:
        """Milliseconds of each call."""
        self._stopped.set()
        self._thread.join()
        return self._samples

    def _go_on(self) -> None:
        while not self._stopped.wait(0.005):
            before = time.perf_counter_ns()
            self._job.sync.trigger()
            self._samples.append((time.perf_counter_ns() - before) / 1e6)


def _latency(case: str, what: str, samples: list[float]) -> Measure:
    return Measure(case, what, statistics.median(samples), "ms", [round(sample, 3) for sample in samples])
