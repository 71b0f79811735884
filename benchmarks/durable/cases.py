"""The cases by name. One session measures one of them, in processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.durable import memory, recovery, steps, waits
from benchmarks.durable.measure import Measure, Sizes

__all__ = ["CASES"]

CASES: dict[str, Callable[[Path, Sizes, int], Iterator[Measure]]] = {
    "steps": steps.detent_normal,
    "steps-full": steps.detent_full,
    "steps-dbos": steps.peer,
    "resume-warm": waits.resume_warm,
    "resume-cold": waits.resume_cold,
    "recovery": recovery.recovery,
    "memory": memory.memory,
    "chains": waits.chains,
    "threads": waits.busy_threads,
    "herd": waits.herd,
}
