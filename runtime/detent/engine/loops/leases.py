"""Gives up the workers that have been silent for a whole lease."""

from __future__ import annotations

from typing import Protocol

from ..clock import Clock
from ..leases import BEATS, silent_workers
from .loop import Loop, Write

__all__ = ["Leases", "Vigil"]


class Lose(Protocol):
    """`Engine.lose_worker`."""

    def __call__(self, worker_id: str, cause: str, code: str = "crashed") -> object: ...


class Vigil:
    """Since when the silence of a worker counts: not before the store has been watched for one full lease.

    After the store, this process or the clock was away, every worker would seem to have been silent.
    """

    def __init__(self, lease_ms: int) -> None:
        self._lease_ms = lease_ms
        self._since: int | None = None
        self._last = 0

    def look(self, now: int) -> bool:
        """One look, after the store answered; whether silence counts."""
        if self._since is None or not 0 <= now - self._last <= self._lease_ms // 2:
            self._since = now
        self._last = now
        return now - self._since >= self._lease_ms


class Leases(Loop):
    """Looks for silent workers as often as they beat. `lose`: what is done with one."""

    def __init__(self, write: Write, clock: Clock, lose: Lose, lease_ms: int) -> None:
        super().__init__("leases")
        self._write = write
        self._clock = clock
        self._lose = lose
        self._lease_ms = lease_ms
        self._vigil = Vigil(lease_ms)

    def check(self) -> list[str]:
        """One look; the workers that were given up."""
        silent = self._write(lambda scene: silent_workers(scene, self._lease_ms))
        if not self._vigil.look(self._clock.now()):
            return []
        for worker_id in silent:
            self._lose(worker_id, f"it was silent for {self._lease_ms / 1000:g} s", code="lease_lost")
        return silent

    def _tick(self) -> int | None:
        self.check()
        return self._lease_ms // BEATS
