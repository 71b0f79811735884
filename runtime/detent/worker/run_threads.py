"""Threads for sync runs. Each run has one to itself, also while it is parked; finished threads are used again."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

__all__ = ["RunThreads", "raise_in_thread"]

#: A thread without work ends after this many seconds.
_IDLE_S = 30.0


class RunThreads:
    """Runs each job on a thread of its own."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], None] | None]] = []
        self._lock = threading.Lock()

    def run(self, job: Callable[[], None]) -> None:
        """Run `job`, which handles its own errors."""
        with self._lock:
            inbox = self._idle.pop() if self._idle else None
        if inbox is None:
            inbox = SimpleQueue()
            threading.Thread(target=self._serve, args=(inbox,), name="detent-run", daemon=True).start()
        inbox.put(job)

    def _serve(self, inbox: SimpleQueue[Callable[[], None] | None]) -> None:
        while True:
            try:
                job = inbox.get(timeout=_IDLE_S)
            except Empty:
                with self._lock:
                    if inbox in self._idle:
                        self._idle.remove(inbox)
                        return
                continue
            except BaseException:  # noqa: S112  # a late signal meant for the run that has just ended
                continue
            if job is None:
                return
            try:
                job()
            except BaseException:  # noqa: S110  # likewise
                pass
            with self._lock:
                self._idle.append(inbox)


def raise_in_thread(thread_id: int, signal: type[BaseException] | None) -> bool:
    """Raise `signal` in a thread at its next bytecode; None takes back one that has not been raised yet.

    It cannot reach code that is blocked in C, such as a long system call.
    """
    raised: int = ctypes.pythonapi.PyThreadState_SetAsyncExc(
        ctypes.c_ulong(thread_id), ctypes.py_object() if signal is None else ctypes.py_object(signal)
    )
    return raised == 1
