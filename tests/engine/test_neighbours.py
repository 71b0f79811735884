"""Several engines on one store: what commits of one bring about for the workers and callers of the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.engine.bench import Bench, Worker, new
from tests.servers.process import until

from detent.broker.memory_channel import MemoryBus, MemoryChannel
from detent.engine import Engine
from detent.engine.neighbours import Neighbours
from detent.engine.news import News
from detent.model.manifest import QueueSpec
from detent.model.protocol import CancelPush, Claim, Claimed, EvictPush, Grant, Hello, RingPush, SatisfiedPush, Watch


class Post:
    """Tickets, in memory."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, int]] = []
        self.is_away = False

    def send(self, queue: str, n: int) -> bool:
        if not self.is_away:
            self.sent.append((queue, n))
        return not self.is_away


class Street:
    """Two engines, `here` and `there`, on one store."""

    def __init__(self, folder: Path, **values: Any) -> None:
        self.bus = MemoryBus()
        self.lost: Callable[[bytes], bool] = lambda _data: False
        self.here = Bench(folder, channel=self._channel(), **values)
        self.there = Bench(folder, channel=self._channel(), **values)
        self.there.store.close()
        self.there.store, self.there.clock = self.here.store, self.here.clock
        self.there.engine = Engine(self.here.store, self.here.clock, channel=self._channel(), **values)
        for bench in (self.here, self.there):
            neighbours(bench).start()

    def close(self) -> None:
        for bench in (self.here, self.there):
            neighbours(bench).stop()
        self.here.close()

    def _channel(self) -> MemoryChannel:
        return MemoryChannel(self.bus, lambda data: self.lost(data))


def neighbours(bench: Bench) -> Neighbours:
    assert bench.engine.neighbours is not None
    return bench.engine.neighbours


@contextmanager
def street_in(folder: Path, **values: Any) -> Iterator[Street]:
    street = Street(folder, **values)
    try:
        yield street
    finally:
        street.close()


@pytest.fixture
def street(tmp_path: Path) -> Iterator[Street]:
    with street_in(tmp_path) as street:
        yield street


def test_a_run_that_is_triggered_at_one_engine_rings_a_hungry_worker_of_another(street: Street) -> None:
    worker = street.there.worker("work")
    assert worker.claim() == []
    run = street.here.trigger()
    until("the ring", worker.rung)
    assert worker.take().run_id == run


def test_a_run_that_a_worker_here_is_hungry_for_rings_nobody_elsewhere(street: Street) -> None:
    near, far = street.here.worker("work"), street.there.worker("work")
    assert near.claim() == far.claim() == []
    street.here.trigger()
    assert near.rung()
    # What is told later has come, so this would have, too.
    street.here.trigger()
    until("the ring of the second run", far.rung)
    [ring] = [push for push in [*far.pushes, RingPush(async_=1)] if isinstance(push, RingPush)]
    assert ring.async_ == 1


def test_who_waits_for_a_run_hears_of_an_end_that_another_engine_wrote(street: Street) -> None:
    worker = street.there.worker("work")
    run = street.here.trigger()
    waiting = threading.Thread(target=street.here.engine.wait, args=(run, 60.0))
    waiting.start()
    worker.finish(worker.take())
    waiting.join(30)
    assert not waiting.is_alive()


def test_who_waits_sees_the_end_although_the_news_are_lost(street: Street) -> None:
    worker = street.there.worker("work")
    street.lost = lambda _data: True
    run = street.here.trigger()
    waiting = threading.Thread(target=street.here.engine.wait, args=(run, 60.0))
    waiting.start()
    worker.finish(worker.take())
    waiting.join(30)
    assert not waiting.is_alive()


@pytest.mark.parametrize("lost", [False, True])
def test_a_cancellation_reaches_the_worker_of_another_engine_also_where_the_news_are_lost(
    street: Street, lost: bool
) -> None:
    worker = street.there.worker("work")
    street.lost = lambda _data: lost
    run = street.here.trigger()
    grant = worker.take()
    street.here.engine.cancel(run, "enough")
    until("the cancellation", lambda: any(isinstance(push, CancelPush) for push in worker.pushes))
    assert worker.heard(CancelPush) == [CancelPush(run, grant.epoch, "enough")]


def test_news_of_a_cancellation_that_nobody_asked_for_stop_no_run(street: Street) -> None:
    worker = street.there.worker("work")
    run = street.here.trigger()
    worker.take()
    street.bus.tell(msgspec.json.encode(News("engine_of_a_stranger", canceled=[(worker.id, run)])))
    street.bus.tell(b"no news at all")
    assert worker.heard(CancelPush) == []


def family(bench: Bench) -> Worker:
    """Claims parents as async runs, and children as plain ones."""
    return bench.worker("parent", sync=["child"])


def child_of(worker: Worker) -> Grant:
    [grant] = worker.claim(0, sync=1)
    return grant


def test_a_child_that_ends_elsewhere_satisfies_the_wait_of_a_parent_that_executes(street: Street) -> None:
    parents, children = family(street.here), family(street.there)
    street.here.trigger("parent")
    parent = parents.take()
    answer = parents.trigger(parent, "children", "child", wait=True)
    [handle] = answer.handles
    children.finish(child_of(children), output='"done"')
    until("the result", lambda: any(isinstance(push, SatisfiedPush) for push in parents.pushes))
    [push] = parents.heard(SatisfiedPush)
    assert (push.run_id, push.epoch, push.result.key) == (parent.run_id, parent.epoch, "children")
    assert [(run.id, run.output) for run in push.result.runs] == [(handle.id, '"done"')]


def test_a_result_whose_news_are_lost_is_there_when_the_worker_asks_again(street: Street) -> None:
    parents, children = family(street.here), family(street.there)
    street.here.trigger("parent")
    parent = parents.take()
    parents.trigger(parent, "children", "child", wait=True)
    street.lost = lambda _data: True
    children.finish(child_of(children), output='"done"')
    [answer] = parents.say(Watch(parent.run_id, parent.epoch, "children"))
    assert [run.output for result in answer.results for run in result.runs] == ['"done"']


def test_a_parked_run_is_called_where_its_frame_is(street: Street) -> None:
    parents, children = family(street.there), family(street.here)
    street.there.trigger("parent")
    parent = parents.take()
    parents.fan_out(parent, "children", "child")
    assert parents.claim() == []
    children.finish(child_of(children))
    until("the call", parents.rung)
    assert parents.take().resumed


def test_a_frame_whose_run_was_cancelled_elsewhere_is_dropped(street: Street) -> None:
    parents = family(street.there)
    run = street.there.trigger("parent")
    parents.fan_out(parents.take(), "children", "child")
    street.here.engine.cancel(run)
    until("the eviction", lambda: any(isinstance(push, EvictPush) for push in parents.pushes))


def test_a_slot_that_is_freed_at_one_engine_is_filled_by_a_worker_of_another(street: Street) -> None:
    narrow = [QueueSpec("narrow", 1)]
    near, far = street.here.worker("work@narrow", queues=narrow), street.there.worker("work@narrow", queues=narrow)
    street.here.trigger_all([new("work", queue="narrow") for _ in range(2)])
    held = near.take()
    assert far.claim() == []
    far.heard(RingPush)
    near.finish(held)
    until("the ring", far.rung)
    far.take()


def test_all_who_listen_hear_that_something_was_committed_elsewhere(street: Street) -> None:
    heard = threading.Event()
    street.there.engine.listeners.append(heard.set)
    street.here.trigger()
    assert heard.wait(30)


def test_a_storm_of_commits_is_told_in_few_messages(street: Street) -> None:
    told: list[News] = []
    here = neighbours(street.here).engine_id

    def note(data: bytes) -> bool:
        news = msgspec.json.decode(data, type=News)
        if news.engine == here:
            told.append(news)
        return False

    street.lost = note
    street.there.worker("work")
    for _ in range(300):
        street.here.trigger()
    until("the last news", lambda: sum(news.queued["dev"]["work"] for news in told if news.queued) == 300)
    assert len(told) < 300


def test_more_than_can_be_listed_makes_the_others_look_for_themselves(street: Street) -> None:
    worker = street.there.worker("work")
    assert worker.claim() == []
    waits = threading.Event()
    there = street.there.engine.waiters
    with there.waiting_for("any") as ended:
        neighbours(street.here).ended([f"run_{n}" for n in range(3_000)])
        neighbours(street.here).changed()
        assert ended.wait(30)
    until("the ring", worker.rung)
    assert not waits.is_set()


def hello_of_class(bench: Bench, name: str) -> Any:
    worker = bench.worker("work", sync=["plain"])
    bench.engine.disconnect(worker.session)
    hello = Hello(worker.id, worker.manifest, 1, 1.0, "host", ticket_class=name)
    worker.session, welcome = bench.engine.connect(hello, worker.pushes.append)
    assert (welcome.namespace, welcome.shared) == ("detent:test", True)  # type: ignore[union-attr]
    return worker


def test_workers_of_a_class_elsewhere_are_woken_by_tickets_and_by_no_news(tmp_path: Path) -> None:
    post = Post()
    with street_in(tmp_path, tickets=post, namespace="detent:test") as street:
        worker = hello_of_class(street.there, "c1")
        assert isinstance(worker.say(Claim(1, 1))[0], Claimed)
        until("the crews", lambda: bool(neighbours(street.here)._crews.queues_for("dev", "work")))
        street.here.trigger()
        assert post.sent == [("c1.async", 1)]
        street.here.trigger_all([new("plain") for _ in range(1_000)])
        assert post.sent[1:] == [("c1.sync", 1)], "as many tickets as there are workers"
        street.here.trigger("unknown", known=True, queue="q")
        assert len(post.sent) == 2
        assert not worker.rung()


def test_while_the_broker_of_tickets_is_away_news_ring_instead(tmp_path: Path) -> None:
    post = Post()
    with street_in(tmp_path, tickets=post, namespace="detent:test") as street:
        worker = hello_of_class(street.there, "c1")
        assert isinstance(worker.say(Claim(1, 1))[0], Claimed)
        until("the crews", lambda: bool(neighbours(street.here)._crews.queues_for("dev", "work")))
        post.is_away = True
        street.here.trigger()
        until("the ring", worker.rung)


def test_the_crews_of_an_engine_that_has_left_are_forgotten(tmp_path: Path) -> None:
    with street_in(tmp_path, tickets=Post(), namespace="detent:test") as street:
        hello_of_class(street.there, "c1")
        crews = neighbours(street.here)._crews
        until("the crews", lambda: bool(crews.queues_for("dev", "work")))
        neighbours(street.there).stop()
        until("the farewell", lambda: not crews.queues_for("dev", "work"))


def test_an_engine_that_is_alone_tells_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detent.engine.neighbours._UNSURE_S", 0.0)
    told: list[News] = []
    bench = Bench(
        tmp_path,
        channel=MemoryChannel(MemoryBus(), lambda data: told.append(msgspec.json.decode(data, type=News)) or False),
    )
    bench.worker("work")
    neighbours(bench).start()
    until("the first crews", lambda: bool(told))
    for _ in range(20):
        bench.trigger()
    neighbours(bench).stop()
    assert all(news.crews is not None or news.leaves for news in told)
    bench.close()
