"""A clock that moves when it is told to."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass

from ..sdk.current import current_run

__all__ = ["VirtualClock", "VirtualSleeper"]

#: Where virtual time begins: 2026-01-01T00:00:00Z, in milliseconds.
START = 1_767_225_600_000


class VirtualClock:
    """Implements `engine.clock.Clock`."""

    def __init__(self, start: int = START) -> None:
        self._now = start
        self._lock = threading.Lock()

    def now(self) -> int:
        return self._now

    def move_to(self, moment: int) -> None:
        """Move forward to `moment`, in milliseconds since 1970; an earlier one is ignored."""
        with self._lock:
            self._now = max(self._now, moment)


@dataclass
class _Sleep:
    run_id: str
    until: int
    awake: threading.Event


class VirtualSleeper:
    """Pauses inside runs (``retry.on_throw`` and the like) last until the clock has been moved."""

    def __init__(self, clock: VirtualClock, changed: threading.Event) -> None:
        self._clock = clock
        self._changed = changed
        self._lock = threading.Lock()
        self._sleeps: list[_Sleep] = []

    async def sleep(self, seconds: float) -> None:
        sleep = self._begin(seconds)
        try:
            await asyncio.to_thread(sleep.awake.wait)
        finally:
            self._end(sleep)

    def sleep_sync(self, seconds: float) -> None:
        sleep = self._begin(seconds)
        sleep.awake.wait()
        self._end(sleep)

    def sleeping_runs(self) -> set[str]:
        """The runs that are in such a pause."""
        with self._lock:
            return {sleep.run_id for sleep in self._sleeps if not sleep.awake.is_set()}

    def next_due(self) -> int | None:
        """When the first pause ends, in milliseconds since 1970."""
        with self._lock:
            return min((sleep.until for sleep in self._sleeps if not sleep.awake.is_set()), default=None)

    def wake_due(self) -> None:
        """End the pauses that are over."""
        with self._lock:
            due = [sleep for sleep in self._sleeps if sleep.until <= self._clock.now()]
        for sleep in due:
            sleep.awake.set()

    def _begin(self, seconds: float) -> _Sleep:
        run = current_run.get()
        run_id = "" if run is None else run.ctx.run.id
        sleep = _Sleep(run_id, self._clock.now() + int(seconds * 1000), threading.Event())
        with self._lock:
            self._sleeps.append(sleep)
        self.wake_due()
        self._changed.set()
        return sleep

    def _end(self, sleep: _Sleep) -> None:
        with self._lock:
            self._sleeps.remove(sleep)
