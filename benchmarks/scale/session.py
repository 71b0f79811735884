"""One system, measured in a process of its own. Prints one JSON object.

``python -m benchmarks.scale.session NAME PROCESSES FOLDER DATABASE REDIS SHARE``
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks.drivers.base import RESULT_TIMEOUT
from benchmarks.scale.systems import SYSTEMS, System
from benchmarks.session import private_stdout

RUNS, BATCH, CALLS, STARTS, CHILDREN = 2_000, 500, 150, 40, 1_000


def main() -> int:
    name, processes, folder, database, redis, sizes = sys.argv[1:]
    out = private_stdout()
    system = SYSTEMS[name](Path(folder), database, redis, int(processes))
    share = float(sizes)
    system.start()
    try:
        figures = measure(system, share)
    finally:
        system.stop()
    figures["versions"] = {package: metadata.version(package) for package in system.packages}
    out.write(json.dumps(figures) + "\n")
    out.flush()
    return 0


def measure(system: System, share: float) -> dict[str, Any]:
    """All figures of a started system."""
    for number in range(50):
        system.noop(number)
    system.drain()
    runs = max(64, round(RUNS * system.pace * share))
    figures: dict[str, Any] = {}
    for callers in (1, 8, 64):
        figures[f"runs_{callers}"] = throughput(system, runs, callers)
    figures["batch"] = in_batches(system, runs * 2)
    figures["trigger_ms"] = trigger_latency(system, CALLS)
    figures["start_ms"] = idle_starts(system, STARTS)
    figures["fan_out_s"] = system.fan_out(max(10, round(CHILDREN * share)))
    return figures


def throughput(system: System, runs: int, callers: int) -> float:
    """Runs a second, from the first call until the last is finished."""
    each = max(1, runs // callers)
    threads = [threading.Thread(target=lambda: [system.noop(number) for number in range(each)]) for _ in range(callers)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(RESULT_TIMEOUT)
    system.drain()
    return each * callers / (time.perf_counter() - began)


def in_batches(system: System, runs: int) -> float:
    """The same with one caller and calls of many."""
    began = time.perf_counter()
    for first in range(0, runs, BATCH):
        system.batch(range(first, min(runs, first + BATCH)))
    system.drain()
    return runs / (time.perf_counter() - began)


def trigger_latency(system: System, calls: int) -> list[float]:
    """Milliseconds of each call, one after the other, nothing else going on."""
    taken = []
    for number in range(calls):
        before = time.perf_counter()
        system.noop(number)
        taken.append((time.perf_counter() - before) * 1000)
        time.sleep(0.01)
    system.drain()
    return quantiles(taken)


def idle_starts(system: System, starts: int) -> list[float]:
    """Milliseconds from before the call to the first line of the job; the workers idle."""
    path = system.folder / "stamps"
    for number in range(starts):
        time.sleep(0.15 + 0.013 * (number % 7))
        system.stamp(path, time.monotonic_ns())
        system.drain()
    return quantiles([int(line) / 1e6 for line in path.read_text().splitlines()])


def quantiles(samples: list[float]) -> list[float]:
    """The median and the 99th percentile."""
    ordered = sorted(samples)
    return [round(statistics.median(ordered), 2), round(ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))], 2)]


if __name__ == "__main__":
    sys.exit(main())
