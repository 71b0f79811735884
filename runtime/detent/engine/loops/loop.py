"""What every loop of the engine is. It sleeps until its next moment and costs nothing in between."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from threading import Condition, Thread
from typing import Protocol, TypeVar

from ..scene import Scene

__all__ = ["Loop", "Write"]

T = TypeVar("T")

logger = logging.getLogger("detent.engine")

#: How long to wait after a tick that raised, in milliseconds.
_PATIENCE_MS = 1_000


class Write(Protocol):
    """`Engine.write`: runs an act in a transaction; its result after the commit."""

    def __call__(self, act: Callable[[Scene], T], *, yields: bool = False, verb: str | None = None) -> T: ...


class Loop(ABC):
    """Calls `_tick` when it is due, on a thread of its own named after `name`."""

    def __init__(self, name: str) -> None:
        self._changed = Condition()
        self._woken = False
        self._stopped = False
        self._thread = Thread(target=self._run, name=f"detent-{name}", daemon=True)
        self.name = name
        #: Whether this is the one that works, of the loops of several engines on one store; and then its longest pause,
        #: in milliseconds. See `Leaders`.
        self.leads: Callable[[], bool] = _always
        self.longest_pause_ms: int | None = None
        #: Ticks that raised.
        self.errors = 0

    @abstractmethod
    def _tick(self) -> int | None:
        """Do what is due; the time until the next call in milliseconds, None for "when woken"."""

    @property
    def is_alive(self) -> bool | None:
        """Whether it goes on; None for one that was never started."""
        return self._thread.is_alive() if self._thread.ident is not None else None

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
                pause = self._next_pause()
            except Exception:
                # A store that is away comes back: the loop goes on, and sweeping again changes nothing.
                self.errors += 1
                logger.exception("%s failed; it tries again", self._thread.name)
                pause = _PATIENCE_MS
            with self._changed:
                if not self._woken and not self._stopped and pause != 0:
                    self._changed.wait(None if pause is None else pause / 1000)
                self._woken = False

    def _next_pause(self) -> int | None:
        if not self.leads():
            return None
        pause = self._tick()
        longest = self.longest_pause_ms
        return pause if longest is None else min(longest, longest if pause is None else pause)


def _always() -> bool:
    return True
