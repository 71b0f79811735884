"""Several workers in one process, as tests have them."""

from __future__ import annotations

import threading

from detent.worker.loop_thread import LoopThread


def test_what_is_posted_to_two_loops_at_once_is_done_on_both() -> None:
    loops = [LoopThread(), LoopThread()]
    for loop in loops:
        loop.start()
    meeting = threading.Barrier(2)
    met: list[int] = []

    def meet() -> None:
        meeting.wait(5)
        met.append(1)

    later = [threading.Event(), threading.Event()]
    try:
        for loop in loops:
            loop.post(meet)
        for loop, event in zip(loops, later, strict=True):
            loop.post(event.set)
        assert [event.wait(5) for event in later] == [True, True]
        assert met == [1, 1]
    finally:
        for loop in loops:
            loop.stop()
