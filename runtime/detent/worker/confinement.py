"""The limits of a machine on a process of its own: what it may use of CPU and memory."""

from __future__ import annotations

import math
import os
import random
import sys
from contextlib import suppress
from pathlib import Path

import psutil

from ..model.machine import Machine

__all__ = ["confine", "used_bytes"]

#: Added to the niceness of a process that has a fraction of a CPU.
_NICE_HALF, _NICE_QUARTER = 5, 10
#: The system refuses memory beyond so many times the machine's, and a base for what a process reserves and never uses.
_DATA_TIMES, _DATA_BASE = 4, 1 << 30
_MIB = 1 << 20
_PAGE = os.sysconf("SC_PAGE_SIZE")


def confine(machine: Machine) -> None:
    """Hold this process, and what it starts, to the CPUs of `machine`; refuse it memory far beyond what it has.

    To be called before the process has other threads. The memory itself is watched from outside, see `used_bytes`.
    """
    if hasattr(os, "sched_setaffinity"):
        free = sorted(os.sched_getaffinity(0))
        count = math.ceil(machine.cpu)
        if count < len(free):
            os.sched_setaffinity(0, random.sample(free, count))
    if machine.cpu < 1:
        os.nice(_NICE_HALF if machine.cpu >= 0.5 else _NICE_QUARTER)
    if sys.platform == "linux":
        import resource

        most = machine.memory_mb * _MIB * _DATA_TIMES + _DATA_BASE
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(resource.RLIMIT_DATA, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def used_bytes(pid: int, limit: int) -> int:
    """The memory that a process and its descendants use. Precise above `limit`; below it what they share may be counted
    more than once, which is quicker."""
    pids = _family(pid)
    used = sum(map(_resident, pids))
    return used if used <= limit else sum(map(_own, pids))


def _family(pid: int) -> list[int]:
    """`pid` and its descendants. Through /proc, since a look at every process of the system takes too long."""
    if sys.platform != "linux":
        with suppress(psutil.NoSuchProcess):
            return [pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))]
        return [pid]
    family = [pid]
    for member in family:
        with suppress(OSError):
            for thread in Path(f"/proc/{member}/task").iterdir():
                with suppress(OSError):
                    family += map(int, (thread / "children").read_bytes().split())
    return family


def _resident(pid: int) -> int:
    if sys.platform != "linux":
        with suppress(psutil.Error):
            return int(psutil.Process(pid).memory_info().rss)
        return 0
    try:
        return int(Path(f"/proc/{pid}/statm").read_bytes().split()[1]) * _PAGE
    except (OSError, IndexError):
        return 0  # it has just ended


def _own(pid: int) -> int:
    """Its memory, with its share of what it has in common with others."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_bytes().splitlines()
    except OSError:
        return _resident(pid)
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith((b"Pss:", b"SwapPss:")))
