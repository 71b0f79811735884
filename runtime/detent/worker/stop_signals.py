"""Ctrl-C once: stop in order. Twice: stop at once."""

from __future__ import annotations

import signal
import threading
from types import FrameType

__all__ = ["StopSignals"]


class StopSignals:
    """Listens to SIGINT, SIGTERM and, where there is one, SIGHUP (the terminal was closed).

    `first` is set by the first of them, `second` by the next. To be made on the main thread; on any other
    nothing is listened to.
    """

    def __init__(self) -> None:
        self.first = threading.Event()
        self.second = threading.Event()
        if threading.current_thread() is not threading.main_thread():
            return
        for name in ("SIGINT", "SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            # A process that was started with nohup goes on when its terminal is closed.
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, self._on_signal)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        (self.second if self.first.is_set() else self.first).set()
