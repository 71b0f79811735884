"""How long a page of runs takes, with each filter, among 100,000 runs: ``python -m benchmarks.lists [RUNS]``."""

from __future__ import annotations

import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

import msgspec

from detent.engine import Engine
from detent.engine.operations import Operations
from detent.model.ids import new_id
from detent.store import SqliteStore

RUNS = 100_000
PAGES = 20
_STATES = ("COMPLETED",) * 12 + ("FAILED",) * 5 + ("CANCELED", "CRASHED", "QUEUED")
_BEGAN = 1_800_000_000_000
_TRACEBACK = "\n".join(f'  File "tasks/shop.py", line {n}, in step_{n}\n    call_number({n})' for n in range(20))

#: By name: the filter, whose values may be found, rare, or nowhere.
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "status": {"status": ["FAILED"]},
    "rare status": {"status": ["EXECUTING"]},
    "several statuses": {"status": ["FAILED", "CRASHED", "CANCELED"]},
    "task": {"task": ["task-7"]},
    "several tasks": {"task": ["task-7", "task-8"]},
    "version": {"version": ["20261122.1"]},
    "rare version": {"version": ["20261122.9"]},
    "tag": {"tag": ["even"]},
    "rare tag": {"tag": ["one"]},
    "queue": {"queue": "queue-3"},
    "batch": {"batch": "batch_5"},
    "root": {"root": "root_5"},
    "parent": {"parent": "root_5"},
    "period": {"period": "1h"},
    "from and to": {"from": "2027-01-15T08:10:00Z", "to": "2027-01-15T08:20:00Z"},
    "search": {"search": "number 77"},
    "search, nowhere": {"search": "nowhere to be found"},
    "search, an id": {"search": "run_01a"},
    "error": {"error": "number 77"},
    "error, nowhere": {"error": "nowhere to be found"},
    "two that never meet": {"status": ["COMPLETED"], "tag": ["failed"]},
    "status, task, period": {"status": ["FAILED"], "task": ["task-7"], "period": "2h"},
    "error of a task": {"error": "number 77", "task": ["task-1"]},
}


def fill(path: Path, runs: int) -> None:
    """Put `runs` runs into the store at `path`, one each 50 ms."""
    chance = Random(7)  # the same runs each time
    rows = []
    for n in range(runs):
        state = chance.choice(_STATES)
        failed = state in ("FAILED", "CRASHED")
        error = {"type": "ValueError", "message": f"number {n % 1000}", "traceback": _TRACEBACK}
        tags = ["even"] if n % 2 == 0 else []
        tags += ["failed"] if failed else []
        tags += ["one"] if n == runs // 3 else []
        at = _BEGAN + n * 50
        rows.append(
            {
                "id": new_id("run", at),
                "env": "dev",
                "task": f"task-{n % 20}",
                "queue": f"queue-{n % 10}",
                "state": state,
                "at": at,
                "finished_at": None if state == "QUEUED" else at + 400,
                "version": f"20261122.{n % 3}" if n > 50 else "20261122.9",
                "error": msgspec.json.encode(error).decode() if failed else None,
                "tags": msgspec.json.encode(tags).decode(),
                "parent_id": f"root_{n // 50}" if n % 5 else None,
                "root_id": f"root_{n // 50}" if n % 5 else None,
                "batch_id": f"batch_{n // 1000}",
            }
        )
    columns = "id, env, task, queue, state, version, error, tags, parent_id, root_id, batch_id, finished_at"
    places = ", ".join(f":{name.strip()}" for name in columns.split(","))
    with closing(sqlite3.connect(path)) as database, database:
        database.executemany(
            f"INSERT INTO runs ({columns}, order_at, created_at) VALUES ({places}, :at, :at)",  # fixed
            rows,
        )


def pages(operations: Operations, wanted: dict[str, Any]) -> tuple[list[float], list[float], int]:
    """The times of the first pages by the clock and of the processor, in milliseconds, and how many runs came."""
    times: list[float] = []
    worked: list[float] = []
    shown = 0
    cursor: str | None = None
    for _ in range(PAGES):
        values = wanted | ({} if cursor is None else {"cursor": cursor})
        began, began_work = time.perf_counter(), time.thread_time()
        page = operations.call("runs.list", limit=25, **values)
        times.append((time.perf_counter() - began) * 1000)
        worked.append((time.thread_time() - began_work) * 1000)
        shown += len(page["items"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    return times, worked, shown


class _Clock:
    def __init__(self, now: int) -> None:
        self._now = now

    def now(self) -> int:
        return self._now


def main() -> None:
    """Print a table: the median and the slowest page of each filter, and the most that one took of the processor."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else RUNS
    with tempfile.TemporaryDirectory() as folder:
        store = SqliteStore(Path(folder) / "detent.db", "OFF")
        fill(store.path, runs)
        operations = Operations(Engine(store, _Clock(_BEGAN + runs * 50)))
        print(f"| filter, of {runs:,} runs | pages | runs | median ms | slowest ms | most CPU ms |")
        print("|---|--:|--:|--:|--:|--:|")
        for name, wanted in FILTERS.items():
            times, worked, shown = pages(operations, wanted)
            print(f"| {name} | {len(times)} | {shown} | {median(times):.1f} | {max(times):.1f} | {max(worked):.1f} |")
        store.close()


if __name__ == "__main__":
    main()
