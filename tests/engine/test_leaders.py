from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
from tests.engine.bench import Bench

from detent.engine.leaders import LEAD_MS, Leaders
from detent.engine.loops import Loop


class Counting(Loop):
    """A loop that says that it ticked."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.ticked = threading.Event()

    def _tick(self) -> int | None:
        self.ticked.set()
        return None


@pytest.fixture
def make_leaders(bench: Bench) -> Callable[..., Leaders]:
    def make(holder: str, *loops: Loop) -> Leaders:
        engine = bench.engine
        return Leaders(engine.write, engine.store, engine.clock, loops or (Counting("timers"),), holder)

    return make


def test_the_first_to_come_leads_and_the_second_stands_by(make_leaders: Callable[..., Leaders]) -> None:
    one, two = make_leaders("engine_1"), make_leaders("engine_2")
    one._look()
    two._look()
    assert (one.leads("timers"), two.leads("timers")) == (True, False)


def test_a_leader_that_says_nothing_for_its_time_is_followed_by_another(
    bench: Bench, make_leaders: Callable[..., Leaders]
) -> None:
    one, two = make_leaders("engine_1"), make_leaders("engine_2")
    one._look()
    bench.clock.forward(LEAD_MS / 1000 - 0.1)
    two._look()
    assert not two.leads("timers")
    bench.clock.forward(0.2)
    two._look()
    assert two.leads("timers")
    one._look()
    assert not one.leads("timers")


def test_a_leader_that_goes_on_saying_so_goes_on_leading(bench: Bench, make_leaders: Callable[..., Leaders]) -> None:
    one, two = make_leaders("engine_1"), make_leaders("engine_2")
    for _ in range(10):
        one._look()
        bench.clock.forward(1)
        two._look()
    assert (one.leads("timers"), two.leads("timers")) == (True, False)


def test_a_leader_that_stops_is_followed_at_once(make_leaders: Callable[..., Leaders]) -> None:
    one, two = make_leaders("engine_1"), make_leaders("engine_2")
    one._look()
    one.stop()
    two._look()
    assert (one.leads("timers"), two.leads("timers")) == (False, True)


def test_each_loop_has_a_leader_of_its_own(make_leaders: Callable[..., Leaders]) -> None:
    """Given a server that has no couriers, when one comes that has both, then it leads what nobody does."""
    one = make_leaders("engine_1", Counting("timers"))
    two = make_leaders("engine_2", Counting("timers"), Counting("courier"))
    one._look()
    two._look()
    assert (two.leads("timers"), two.leads("courier")) == (False, True)


def test_a_loop_works_once_it_leads_and_not_before(bench: Bench, make_leaders: Callable[..., Leaders]) -> None:
    loop = Counting("timers")
    one, two = make_leaders("engine_1"), make_leaders("engine_2", loop)
    one._look()
    two._look()
    loop.start()
    loop.wake()
    assert not loop.ticked.is_set()
    one.stop()
    two._look()
    assert loop.ticked.wait(10)
    loop.stop()


def test_a_loop_of_a_shared_store_sleeps_no_longer_than_others_may_write_what_is_due(
    make_leaders: Callable[..., Leaders],
) -> None:
    loop = Counting("timers")
    leaders = make_leaders("engine_1", loop)
    leaders._look()
    assert loop._next_pause() == 1_000
