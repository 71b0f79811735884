"""A worker process is killed with runs in it: how soon they execute on another one."""

from __future__ import annotations

import os
import signal
import statistics
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from benchmarks.durable.measure import Measure, Sizes
from benchmarks.durable.project import Project

__all__ = ["recovery"]

_PLAIN = 4


def recovery(folder: Path, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """From SIGKILL to the first line of each lost run on a worker that lives."""
    samples: list[float] = []
    with Project(folder, workers=2) as project:
        for number in range(sizes.kills):
            samples += _kill(project, folder / f"kill-{number}", sizes.held)
    ordered = [round(sample, 3) for sample in samples]
    yield Measure("recovery", "until a lost run executes again", statistics.median(samples), "ms", ordered)


def _kill(project: Project, place: Path, held: int) -> list[float]:
    place.mkdir()
    names = [f"run-{number}" for number in range(held)]
    plain = [f"plain-{number}" for number in range(_PLAIN)]
    project.trigger_many(project.jobs.holds, [(str(place), name) for name in names])
    project.trigger_many(project.jobs.plain_holds, [(str(place), name) for name in plain])
    project.until(lambda: len(_starts(place)) == held + _PLAIN, 30)
    busiest, lost = Counter(pid for _, pid, _ in _starts(place)).most_common(1)[0]
    killed_at = time.monotonic_ns()
    os.kill(busiest, signal.SIGKILL)
    project.until(lambda: len(_starts(place)) == held + _PLAIN + lost, 60)
    (place / "released").touch()
    project.until(lambda: not project.states() and project.client.health().workers == 2, 60)
    return [(at - killed_at) / 1e6 for _, _, at in _starts(place) if at > killed_at]


def _starts(place: Path) -> list[tuple[str, int, int]]:
    """Run, process, and moment of each start so far."""
    file = place / "starts"
    lines = file.read_text().splitlines() if file.exists() else []
    return [(name, int(pid), int(at)) for name, pid, at in map(str.split, lines)]
