"""What the workers of all engines on one store can run, as their rows tell."""

from __future__ import annotations

import time
from threading import Lock

from ..store import Store
from .clock import Clock

__all__ = ["Workforce"]

#: How long what was read is good, in seconds.
_GOOD_S = 0.5


class Workforce:
    """Reads the tasks of living workers, at most twice a second for each environment.

    Parameters:
      lease_ms: a worker that was silent for longer counts no more, in milliseconds.
    """

    def __init__(self, store: Store, clock: Clock, lease_ms: int) -> None:
        self._store = store
        self._clock = clock
        self._lease_ms = lease_ms
        self._lock = Lock()
        self._read: dict[str, tuple[float, frozenset[str] | None]] = {}

    def knows(self, env: str, task: str) -> bool | None:
        """Whether a living worker of `env` runs `task`; None while there is no worker."""
        with self._lock:
            read_at, tasks = self._read.get(env, (0.0, None))
        if time.monotonic() - read_at > _GOOD_S:
            since = self._clock.now() - self._lease_ms
            rows = self._store.read("tasks_of_workers", env=env, since=since)
            tasks = frozenset(row["task"] for row in rows) if rows else None
            with self._lock:
                self._read[env] = time.monotonic(), tasks
        return None if tasks is None else task in tasks
