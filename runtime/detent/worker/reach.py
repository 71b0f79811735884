"""Where a plain run can be reached: its thread, and whether a signal may be raised there just now."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from .run_threads import raise_in_thread
from .signals import RunSignal

__all__ = ["NOWHERE", "Reach"]


class Reach:
    """The thread of one plain run.

    A signal is raised at any bytecode of the run's own code, but not inside detent's, where it could leave a lock
    held or a request half sent: there it waits until the call is over.
    """

    __slots__ = ("_depth", "_guard", "_thread_id", "_waiting")

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._thread_id: int | None = None
        self._depth = 0
        self._waiting: type[RunSignal] | None = None

    def begin(self) -> None:
        """The run starts on this thread. Raises the signal that came before."""
        with self._guard:
            self._thread_id = threading.get_ident()
            signal, self._waiting = self._waiting, None
        if signal is not None:
            raise signal

    def end(self) -> None:
        """The run is over; a signal that comes now has nowhere to go."""
        with self._guard:
            self._waiting = None
            if self._thread_id is not None:
                raise_in_thread(self._thread_id, None)
            self._thread_id = None
            self._depth = -1

    def is_here(self) -> bool:
        """Whether the caller is on the run's thread."""
        return self._thread_id == threading.get_ident()

    def interrupt(self, signal: type[RunSignal]) -> None:
        """Raise `signal` in the run as soon as may be."""
        with self._guard:
            if self._depth < 0:
                return
            if self._thread_id is None or self._depth > 0:
                self._waiting = signal
            else:
                raise_in_thread(self._thread_id, signal)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Code of detent, in which the run is not interrupted."""
        if self._thread_id != threading.get_ident():
            yield
            return
        with self._guard:
            self._depth += 1
        signal: type[RunSignal] | None = None
        try:
            yield
        except RunSignal:
            with self._guard:
                self._waiting = None
            raise
        finally:
            with self._guard:
                self._depth -= 1
                if self._depth == 0:
                    signal, self._waiting = self._waiting, None
            if signal is not None:
                raise signal


#: Of async runs, which have no thread of their own.
NOWHERE = Reach()
