"""Gives up the workers that have been silent for a whole lease."""

from __future__ import annotations

from typing import Protocol

from ..clock import Clock
from ..leases import LEASE_MS, silent_workers
from .loop import Loop, Write

__all__ = ["Leases", "Vigil"]

#: How often the leases are looked at, in milliseconds.
_EVERY_MS = 5_000


class Lose(Protocol):
    """`Engine.lose_worker`."""

    def __call__(self, worker_id: str, cause: str, code: str = "crashed") -> object: ...


class Vigil:
    """Since when the silence of a worker counts: not before the store has been watched for one full lease.

    After the store, this process or the clock was away, every worker would seem to have been silent.
    """

    def __init__(self) -> None:
        self._since: int | None = None
        self._last = 0

    def look(self, now: int) -> bool:
        """One look, after the store answered; whether silence counts."""
        if self._since is None or not 0 <= now - self._last <= LEASE_MS // 2:
            self._since = now
        self._last = now
        return now - self._since >= LEASE_MS


class Leases(Loop):
    """Looks for silent workers every few seconds. `lose`: what is done with one."""

    def __init__(self, write: Write, clock: Clock, lose: Lose) -> None:
        super().__init__("leases")
        self._write = write
        self._clock = clock
        self._lose = lose
        self._vigil = Vigil()

    def check(self) -> list[str]:
        """One look; the workers that were given up."""
        silent = self._write(silent_workers)
        if not self._vigil.look(self._clock.now()):
            return []
        for worker_id in silent:
            self._lose(worker_id, f"it was silent for {LEASE_MS // 1000} s", code="lease_lost")
        return silent

    def _tick(self) -> int | None:
        self.check()
        return _EVERY_MS
