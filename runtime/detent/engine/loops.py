"""The engine's loops. Each sleeps until its next moment and costs nothing in between."""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import Condition, Thread

__all__ = ["Loop"]

logger = logging.getLogger("detent.engine")


class Loop:
    """Calls `tick` when it is due, on a thread of its own.

    Parameters:
      name: of the thread.
      tick: does the work and returns the time until the next call in milliseconds, None for "when woken".
      patience: how long to wait after a tick that raised, in milliseconds.
    """

    def __init__(self, name: str, tick: Callable[[], int | None], patience: int = 1_000) -> None:
        self._tick = tick
        self._patience = patience
        self._changed = Condition()
        self._woken = False
        self._stopped = False
        self._thread = Thread(target=self._run, name=f"detent-{name}", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def wake(self) -> None:
        """Tick now."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def stop(self) -> None:
        """Stop after the tick that is under way, and wait for it."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            try:
                pause = self._tick()
            except Exception:
                # A store that is away comes back: the loop goes on, and sweeping again changes nothing.
                logger.exception("%s failed; it tries again", self._thread.name)
                pause = self._patience
            with self._changed:
                if not self._woken and not self._stopped and pause != 0:
                    self._changed.wait(None if pause is None else pause / 1000)
                self._woken = False
