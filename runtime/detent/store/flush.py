"""One wait for the disk for all who wait: commits become visible first, and are acknowledged once they are durable."""

from __future__ import annotations

from collections.abc import Callable
from threading import Condition

__all__ = ["SharedFlush"]


class SharedFlush:
    """Calls `flush`, which makes all durable that was committed before it began, on the thread of one who waits.

    Whoever comes while a flush is under way waits for the next one, which began after its commit.
    """

    def __init__(self, flush: Callable[[], None]) -> None:
        self._flush = flush
        self._changed = Condition()
        #: Number of the flush that is under way, or was the last; and the numbers of those that failed, with the error.
        self._begun = 0
        self._ended = 0
        self._failed: dict[int, BaseException] = {}

    def wait(self) -> None:
        """Come back when all that is committed now is durable. Errors: those of `flush`."""
        with self._changed:
            mine = self._begun + 1
            while self._ended < mine and self._begun > self._ended:
                self._changed.wait()
            if self._ended >= mine:
                failure = self._failed.get(mine)
                if failure is not None:
                    raise failure
                return
            self._begun += 1
            number = self._begun
        failure = None
        try:
            self._flush()
        except BaseException as error:
            failure = error
            raise
        finally:
            with self._changed:
                self._ended = number
                if failure is not None:
                    self._failed = {number: failure, **{n: e for n, e in self._failed.items() if n > number - 8}}
                self._changed.notify_all()
