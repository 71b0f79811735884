"""How many runs of each kind this process executes, and for how many more it has room."""

from __future__ import annotations

import threading

from .frame import Frame

__all__ = ["Slots"]


class Slots:
    """The slots of a worker: `threads` for plain runs, `async_limit` for async ones.

    What claims and what ends runs decides on several numbers at once, so `lock` is theirs to hold: around every use
    of the counts and of the rooms.
    """

    def __init__(self, lock: threading.Lock, threads: int, async_limit: int) -> None:
        self.lock = lock
        self.sync_used = 0
        self.async_used = 0
        self._threads = threads
        self._async_limit = async_limit

    def sync_room(self) -> int:
        """Plain runs that may be claimed, with the lock held."""
        return self._threads - self.sync_used

    def async_room(self) -> int:
        """Async runs that may be claimed, with the lock held."""
        return self._async_limit - self.async_used

    def take_sync(self) -> None:
        """A plain run is here by another way than a claim."""
        with self.lock:
            self.sync_used += 1

    def take_async(self) -> None:
        """An async run is here by another way than a claim."""
        with self.lock:
            self.async_used += 1

    def give_back_sync(self) -> None:
        """The room of a plain run that does not execute here, or not any more."""
        with self.lock:
            self.sync_used -= 1

    def give_back_async(self) -> None:
        """The room of an async run that does not execute here, or not any more."""
        with self.lock:
            self.async_used -= 1

    def free(self, frame: Frame) -> None:
        """The run does not execute here any more: another may. Once for each time that it was claimed."""
        with self.lock:
            if frame.holds_slot:
                frame.holds_slot = False
                if frame.task.is_async:
                    self.async_used -= 1
                else:
                    self.sync_used -= 1
