"""Sends what runs write about themselves, in batches and off their own path."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from .link import Exchange

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Emitter"]

#: Notes are sent this often, in seconds; what somebody may be looking on at is gathered for so long.
_EVERY_S = 0.1
_SOON_S = 0.015
#: The notes of so many runs are sent together.
_TOGETHER = 64


class Emitter:
    """A thread that sleeps while no run has anything to say, and then sends what has gathered."""

    def __init__(
        self,
        frames: Callable[[], list[Frame]],
        send: Callable[[list[Exchange]], None],
        emitting: threading.Lock,
    ) -> None:
        self._frames = frames
        self._send = send
        self._emitting = emitting
        self._wanted = threading.Event()
        self._soon = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="detent-emitter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self, soon: bool = False) -> None:
        """A run has written something, or has started. `soon`: somebody may be looking on."""
        if soon and not self._soon.is_set():
            self._soon.set()
        if not self._wanted.is_set():
            self._wanted.set()

    def stop(self) -> None:
        self._stopped.set()
        self._wanted.set()
        self._soon.set()

    def flush(self) -> None:
        """Send all that there is now."""
        frames = self._frames()
        for first in range(0, len(frames), _TOGETHER):
            exchanges: list[Exchange] = []
            # Nobody may tell of the end of a run between here and there, or what it wrote would come too late.
            with self._emitting:
                for frame in frames[first : first + _TOGETHER]:
                    if not frame.done and not frame.parked:
                        old = not frame.started_reported and frame.age_s() > _EVERY_S
                        exchanges += frame.take_notes(report_start=old)
                self._send(exchanges)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._wanted.wait()
            self._wanted.clear()
            if self._soon.wait(_EVERY_S):
                self._soon.clear()
                self._stopped.wait(_SOON_S)
            if self._stopped.is_set():
                return
            self.flush()
            if any(frame.has_notes() or not frame.started_reported for frame in self._frames()):
                self._wanted.set()
