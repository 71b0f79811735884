"""Callers in this process that wait for the end of a run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Lock

__all__ = ["Waiters"]


class Waiters:
    """Events by run, set after the commit that ended the run."""

    def __init__(self) -> None:
        self._events: dict[str, list[Event]] = {}
        self._lock = Lock()

    @contextmanager
    def waiting_for(self, run_id: str) -> Iterator[Event]:
        """An event that is set when the run ends from now on."""
        event = Event()
        with self._lock:
            self._events.setdefault(run_id, []).append(event)
        try:
            yield event
        finally:
            with self._lock:
                left = self._events.get(run_id, [])
                if event in left:
                    left.remove(event)
                if not left:
                    self._events.pop(run_id, None)

    def tell(self, ended: Iterable[str]) -> None:
        """These runs have ended."""
        with self._lock:
            events = [event for run_id in ended for event in self._events.pop(run_id, ())]
        for event in events:
            event.set()

    def tell_all(self) -> None:
        """Any run may have ended."""
        self.tell(list(self._events))
