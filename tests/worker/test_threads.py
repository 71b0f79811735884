"""The small machines under a worker: deadlines, the loop's inbox, and the reach of signals."""

from __future__ import annotations

import threading

import pytest

from detent.worker.deadlines import Deadlines
from detent.worker.loop_thread import LoopThread
from detent.worker.reach import Reach
from detent.worker.signals import Stopped


def test_cancelled_deadlines_do_not_pile_up() -> None:
    deadlines = Deadlines()
    for _ in range(10_000):
        deadlines.cancel(deadlines.after(3_600, lambda: None))
    assert len(deadlines._heap) < 2_500
    called = threading.Event()
    deadlines.after(0, called.set)
    assert called.wait(10)
    deadlines.stop()


def test_an_action_that_fails_on_the_loop_takes_none_of_the_others_with_it() -> None:
    loop = LoopThread()
    done = threading.Event()

    def fail() -> None:
        raise ValueError("one of many")

    loop.post(fail)
    loop.post(done.set)
    loop.start()
    assert done.wait(10)
    loop.stop()


def test_a_signal_waits_until_the_run_is_out_of_detents_own_code() -> None:
    reach = Reach()
    reach.begin()
    steps: list[str] = []
    with pytest.raises(Stopped), reach.inside():
        with reach.inside():
            reach.interrupt(Stopped)
            steps.append("still inside")
        steps.append("one door left")
    assert steps == ["still inside", "one door left"]
    reach.end()
    reach.interrupt(Stopped)


def test_a_signal_that_comes_before_the_run_meets_it_at_its_start() -> None:
    reach = Reach()
    reach.interrupt(Stopped)
    with pytest.raises(Stopped):
        reach.begin()
