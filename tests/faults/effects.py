"""What tasks did to the world: a file that they append to, one line for each thing done.

A task says ``done(key, name)``; the key is that of the step, the same in every execution of it. `repeated` then tells
which things were done more than once although nothing was lost in between.
"""

from __future__ import annotations

import json
import os
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from tests.databases import Database, Reading

__all__ = ["Effect", "done", "effects", "repeated"]

#: What takes an execution of a run away from its worker before its commit.
LOSSES = ("lose_lease", "release")


class Effect(NamedTuple):
    """One thing done: `at` in milliseconds since 1970, by the process `pid`."""

    key: str
    run_id: str
    name: str
    at: int
    pid: int


def done(file: Path, key: str, run_id: str, name: str) -> None:
    """Note it. One write to a file that is open for appending is whole, whoever else writes, and dies."""
    line = json.dumps([key, run_id, name, time.time_ns() // 1_000_000, os.getpid()]) + "\n"
    handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        os.write(handle, line.encode())
    finally:
        os.close(handle)


def effects(file: Path) -> list[Effect]:
    """All that was done, in the order of the file."""
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    return [Effect(*json.loads(line)) for line in text.splitlines()]


def repeated(file: Path, database: Database) -> tuple[int, list[str]]:
    """How many things were done again after a loss, as they may; and, in words, those done again without one.

    Between two times there must be an event by which the first execution lost the run.
    """
    by_key: dict[str, list[Effect]] = defaultdict(list)
    for effect in effects(file):
        by_key[effect.key].append(effect)
    again, wrong = 0, []
    with Reading(database) as db:
        for key, times in by_key.items():
            for first, second in pairwise(times):
                [(lost,)] = db.ask(
                    f"SELECT count(*) FROM events WHERE run_id = ? AND at BETWEEN ? AND ? AND kind IN {LOSSES}",
                    first.run_id,
                    first.at,
                    second.at,
                )
                if lost:
                    again += 1
                else:
                    wrong.append(
                        f"{first.name} of run {first.run_id} was done at {first.at} by process {first.pid} and again "
                        f"at {second.at} by process {second.pid}, and nothing was lost in between (key {key})"
                    )
    return again, wrong
