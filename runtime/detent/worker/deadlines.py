"""Deadlines of runs: one thread that sleeps until the next, which user code cannot starve."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

__all__ = ["Deadline", "Deadlines"]

logger = logging.getLogger("detent.worker")


#: Cancelled deadlines are swept out of the heap when there are so many of them, and more than of the others.
_SWEEP = 1_000


class Deadline:
    """A call that is due; it may be cancelled by `Deadlines.cancel`."""

    __slots__ = ("action", "at")

    def __init__(self, at: float, action: Callable[[], None]) -> None:
        self.at = at
        self.action: Callable[[], None] | None = action


class Deadlines:
    """Calls actions when they are due, by the monotonic clock."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Deadline]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._cancelled = 0

    def after(self, seconds: float, action: Callable[[], None]) -> Deadline:
        """Call `action` after `seconds`, on the deadlines' thread."""
        deadline = Deadline(time.monotonic() + seconds, action)
        with self._changed:
            heapq.heappush(self._heap, (deadline.at, next(self._order), deadline))
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="detent-deadlines", daemon=True)
                self._thread.start()
            elif self._heap[0][2] is deadline:
                self._changed.notify()
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Do not call it. One that is being called just now goes on."""
        with self._changed:
            if deadline.action is None:
                return
            deadline.action = None
            self._cancelled += 1
            if self._cancelled > _SWEEP and self._cancelled > len(self._heap) // 2:
                self._heap = [entry for entry in self._heap if entry[2].action is not None]
                heapq.heapify(self._heap)
                self._cancelled = 0

    def stop(self) -> None:
        """Call nothing any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._heap and self._heap[0][2].action is None:
                    heapq.heappop(self._heap)
                    self._cancelled -= 1
                wait = self._heap[0][0] - time.monotonic() if self._heap else None
                if self._stopped:
                    return
                if wait is None or wait > 0:
                    self._changed.wait(wait)
                    continue
                deadline = heapq.heappop(self._heap)[2]
                action, deadline.action = deadline.action, None
            if action is not None:
                try:
                    action()
                except Exception:
                    logger.exception("a deadline failed")
