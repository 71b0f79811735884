"""The cases: what is timed, and how. A case is the same code for every system; only the driver differs."""

from __future__ import annotations

import gc
import platform
import random
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import psutil

from benchmarks.drivers.base import Driver


@dataclass(frozen=True)
class Sizes:
    """How much work each case does. ``runs`` is for a system of pace 1."""

    runs: int = 2000
    callers: int = 8
    triggers: int = 100
    idle_starts: int = 7
    children: int = 1000
    chain: int = 200
    idle_seconds: float = 2.5

    @classmethod
    def quick(cls) -> Sizes:
        return cls(runs=500, triggers=40, idle_starts=4, children=200, chain=50, idle_seconds=1.5)


@dataclass
class Measure:
    """One timed run of one case on one system."""

    case: str
    value: float
    unit: str
    count: int
    """Jobs (or calls, or samples) in it."""
    seconds: float
    """Wall-clock time of the timed part."""
    at: str
    """When it began, UTC."""
    cpu_ms_per_job: float | None = None
    """CPU of all processes (caller, workers, servers), per job."""
    samples_ms: list[float] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value not in (None, [])}


CASES = ("runs_1", "runs_n", "trigger", "idle_start", "fan_out", "chain", "idle")


def measures(driver: Driver, sizes: Sizes, seed: int) -> Iterator[Measure]:
    """Run every case on a started driver. Warm-up is not timed."""
    jobs = max(sizes.callers, round(sizes.runs * driver.pace))
    driver.wait_all([driver.noop(number) for number in range(max(20, jobs // 20))])
    yield _throughput(driver, "runs_1", jobs, callers=1)
    yield _throughput(driver, "runs_n", jobs, callers=sizes.callers)
    yield _trigger(driver, sizes.triggers)
    yield _idle_start(driver, sizes.idle_starts, random.Random(seed))
    yield _in_parent("fan_out", sizes.children, lambda: driver.result(driver.fan_out(sizes.children)))
    yield _in_parent("chain", sizes.chain, lambda: driver.result(driver.chain(sizes.chain)))
    yield _idle(driver, sizes.idle_seconds)


def _throughput(driver: Driver, case: str, jobs: int, callers: int) -> Measure:
    """No-op jobs, triggered one call at a time by each caller, until each has all results of its own."""
    share = jobs // callers
    together = threading.Barrier(callers + 1)

    def caller(first: int) -> None:
        together.wait()
        driver.wait_all([driver.noop(first + number) for number in range(share)])

    gc.collect()
    at = _now()
    with ThreadPoolExecutor(callers) as threads:
        waiting = [threads.submit(caller, share * index) for index in range(callers)]
        cpu = cpu_seconds()
        together.wait()
        began = time.perf_counter()
        for one in waiting:
            one.result()
        seconds = time.perf_counter() - began
        cpu = cpu_seconds() - cpu
    jobs = share * callers
    return Measure(case, jobs / seconds, "runs/s", jobs, seconds, at, cpu_ms_per_job=cpu * 1000 / jobs)


def _trigger(driver: Driver, calls: int) -> Measure:
    """The trigger call alone. Each job is waited for before the next call, so that nothing else goes on."""
    gc.collect()
    at, samples = _now(), []
    for number in range(calls):
        before = time.perf_counter_ns()
        handle = driver.noop(number)
        samples.append((time.perf_counter_ns() - before) / 1e6)
        driver.result(handle)
    return _latency("trigger", samples, at)


def _idle_start(driver: Driver, starts: int, chance: random.Random) -> Measure:
    """From just before the call to the job's first line, by the clock that all processes of a host share."""
    gc.collect()
    at, samples = _now(), []
    for _ in range(starts):
        # A varying pause, so that the calls do not fall into step with anybody's polling.
        time.sleep(driver.settle_seconds + chance.uniform(0, 0.2))
        before = time.monotonic_ns()
        handle = driver.stamp()
        samples.append((driver.result(handle) - before) / 1e6)
    return _latency("idle_start", samples, at)


def _in_parent(case: str, jobs: int, run: Callable[[], float]) -> Measure:
    """Work of a parent job, timed by the parent itself: waiting for the parent to start is another case."""
    gc.collect()
    at, cpu = _now(), cpu_seconds()
    seconds = run()
    return Measure(case, seconds, "s", jobs, seconds, at, cpu_ms_per_job=(cpu_seconds() - cpu) * 1000 / jobs)


def _idle(driver: Driver, seconds: float) -> Measure:
    """CPU of all processes while there is nothing to do, in percent of one core."""
    gc.collect()
    time.sleep(driver.settle_seconds)
    at, cpu, began = _now(), cpu_seconds(), time.perf_counter()
    time.sleep(seconds)
    elapsed = time.perf_counter() - began
    return Measure("idle", (cpu_seconds() - cpu) * 100 / elapsed, "% CPU", 1, elapsed, at)


def _latency(case: str, samples: list[float], at: str) -> Measure:
    rounded = [round(sample, 4) for sample in samples]
    return Measure(case, statistics.median(samples), "ms", len(samples), sum(samples) / 1000, at, samples_ms=rounded)


def cpu_seconds() -> float:
    """CPU time so far of this process and all its living descendants."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            total += _process_cpu(process)
        except (psutil.NoSuchProcess, OSError):
            continue
    return total


def _process_cpu(process: psutil.Process) -> float:
    if platform.system() == "Linux":
        # The kernel's CPU clock of a process counts nanoseconds; /proc/PID/stat only hundredths of a second.
        return time.clock_gettime((~process.pid << 3) | 2)
    times = process.cpu_times()
    return times.user + times.system


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")
