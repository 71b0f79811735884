"""What a system must offer to be measured. A driver object lives in one session process and is used once."""

from __future__ import annotations

import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

RESULT_TIMEOUT = 120.0
"""Seconds that a driver waits for one result before it gives up."""

ROOT = Path(__file__).resolve().parents[2]

Handle = Any
"""What a trigger call returns: whatever the system uses to ask for the result later."""


class Driver(ABC):
    """One system under measurement, seen by one or more callers in the session process.

    The session process is *the caller*: what an application would be. ``start`` brings up everything else
    (servers, worker processes) as its children and in its process group, so that all CPU time is found and
    nothing survives. All calls are blocking. ``noop`` and ``result`` must bear being called from several
    threads at once; a handle is always given back in the thread that got it.
    """

    title: ClassVar[str]
    """The row's heading."""
    durable: ClassVar[bool]
    """Whether an acknowledged trigger survives the death of every process (not only of the worker)."""
    packages: ClassVar[tuple[str, ...]]
    """Distributions whose versions belong to the figures."""
    pace: ClassVar[float] = 1.0
    """Share of the no-op runs given to this system, so that slow systems do not take the whole time."""
    settle_seconds: ClassVar[float] = 0.3
    """Seconds without work after which the workers are as idle as they get (any back-off at its end)."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        """Empty folder for databases, sockets and logs of this session."""

    @abstractmethod
    def start(self) -> None:
        """Start servers and workers; return when work may be triggered."""

    @abstractmethod
    def stop(self) -> None:
        """Stop them. Whatever is left is killed afterwards with the process group."""

    @abstractmethod
    def settings(self) -> list[str]:
        """What differs from the defaults, and what durability rests on (pragmas). Asked after ``start``."""

    @abstractmethod
    def noop(self, number: int) -> Handle:
        """Trigger one job that returns ``number``; come back when the system has accepted it."""

    @abstractmethod
    def stamp(self) -> Handle:
        """Trigger one job whose result is ``time.monotonic_ns()``, read on its first line."""

    @abstractmethod
    def fan_out(self, children: int) -> Handle:
        """Trigger a parent that starts ``children`` no-ops and collects all results.

        The parent's result is the seconds this took, from its first line, by its own clock.
        """

    @abstractmethod
    def chain(self, length: int) -> Handle:
        """Trigger a parent that starts ``length`` no-ops, each after the result of the one before.

        The parent's result is the seconds this took, as in :meth:`fan_out`.
        """

    @abstractmethod
    def result(self, handle: Handle) -> Any:
        """Wait for one job and return its result. Raises when it failed or ``RESULT_TIMEOUT`` passed."""

    def wait_all(self, handles: Sequence[Handle]) -> None:
        """Wait until all jobs are finished and their results fetched."""
        for handle in handles:
            self.result(handle)


class Worker:
    """A worker command as a child of the session process, in its process group, with its output in a file."""

    def __init__(self, folder: Path, arguments: Sequence[str], environment: dict[str, str]) -> None:
        self._log = (folder / "worker.log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def stop(self) -> None:
        """Kill it: everything is measured. Processes that it forked go with the session's process group."""
        self._process.kill()
        self._process.wait()
        self._log.close()
