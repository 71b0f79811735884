"""Sends what runs write about themselves, in batches and off their own path."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from .link import Exchange

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Emitter"]

#: Notes are sent this often, in seconds.
_EVERY_S = 0.1


class Emitter:
    """A thread that sleeps while no run has anything to say, and then sends what has gathered."""

    def __init__(self, frames: Callable[[], list[Frame]], send: Callable[[list[Exchange]], None]) -> None:
        self._frames = frames
        self._send = send
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="detent-emitter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """A run has written something, or has started."""
        if not self._wanted.is_set():
            self._wanted.set()

    def stop(self) -> None:
        self._stopped.set()
        self._wanted.set()

    def flush(self) -> None:
        """Send all that there is now."""
        exchanges: list[Exchange] = []
        now = time.time_ns() // 1_000_000
        for frame in self._frames():
            old = not frame.started_reported and now - frame.started_at > _EVERY_S * 1000
            exchanges += frame.notes(report_start=old)
        self._send(exchanges)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._wanted.clear()
            if self._stopped.wait(_EVERY_S):
                return
            self.flush()
            if any(frame.has_notes() or not frame.started_reported for frame in self._frames()):
                self._wanted.set()
