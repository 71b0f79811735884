from __future__ import annotations

import threading
from typing import Any

import pytest

from detent.store.flush import SharedFlush


class Disk:
    """A disk that is done when a test says so."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Semaphore(0)
        self.n = 0
        self.fails = False

    def flush(self) -> None:
        self.n += 1
        self.begun.release()
        self.may_end.acquire()
        if self.fails:
            raise OSError("the disk is gone")


def waiter(flush: SharedFlush, ended: list[Any]) -> threading.Thread:
    def wait() -> None:
        try:
            flush.wait()
        except OSError as error:
            ended.append(error)
        else:
            ended.append(None)

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def test_who_comes_during_a_flush_waits_for_the_next_which_serves_all_of_them() -> None:
    """Given a flush that is under way, when ten more wait, then one more flush begins after it and serves them all:
    the first one may have begun before their commits."""
    disk = Disk()
    flush = SharedFlush(disk.flush)
    first: list[Any] = []
    others: list[Any] = []
    threads = [waiter(flush, first)]
    disk.begun.acquire()
    threads += [waiter(flush, others) for _ in range(10)]

    disk.may_end.release()
    disk.begun.acquire()
    threads[0].join()
    assert (first, others) == ([None], [])
    while len(flush._changed._waiters) < 9:  # type: ignore[attr-defined]  # all others wait inside
        threading.Event().wait(0.001)
    disk.may_end.release()
    for thread in threads:
        thread.join()

    assert others == [None] * 10
    assert disk.n == 2


def test_a_flush_that_fails_fails_for_all_that_it_was_for_and_the_next_is_tried_anew() -> None:
    disk = Disk()
    disk.fails = True
    disk.may_end.release(2)
    flush = SharedFlush(disk.flush)
    with pytest.raises(OSError, match="the disk is gone"):
        flush.wait()
    disk.fails = False
    flush.wait()
    assert disk.n == 2
