"""A wait that is ended from inside: the parked run is claimed again before its code goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from detent import queue, task
from detent.model.protocol import Grant, Leave
from detent.testing import Harness, harness
from detent.worker.signals import Evicted

starts: list[str] = []
narrow = queue("leaving", concurrency_limit=1)


@task(id="leaving-child")
async def child(_: int) -> int:
    await asyncio.sleep(0.4)
    return 1


@task(id="leaving-quick")
async def quick(n: int) -> int:
    return n


async def by_timeout() -> None:
    async with asyncio.timeout(0.05):
        await child.trigger_and_wait(1)


async def by_timeout_in_a_task() -> None:
    await asyncio.create_task(by_timeout())


async def by_wait_for() -> None:
    await asyncio.wait_for(child.trigger_and_wait(1).unwrap(), 0.05)


async def by_timeout_around_a_gather() -> None:
    async with asyncio.timeout(0.05):
        await asyncio.gather(child.trigger_and_wait(1).unwrap(), child.trigger_and_wait(2).unwrap())


async def by_timeout_around_a_group() -> None:
    async with asyncio.timeout(0.05), asyncio.TaskGroup() as group:
        group.create_task(child.trigger_and_wait(1).unwrap())
        group.create_task(child.trigger_and_wait(2).unwrap())


async def by_cancelling_itself() -> None:
    current = asyncio.current_task()
    assert current is not None
    asyncio.get_running_loop().call_later(0.05, current.cancel)
    try:
        await child.trigger_and_wait(1)
    except asyncio.CancelledError:
        current.uncancel()
        raise TimeoutError from None


WAYS = {
    way.__name__: way
    for way in (
        by_timeout,
        by_timeout_in_a_task,
        by_wait_for,
        by_timeout_around_a_gather,
        by_timeout_around_a_group,
        by_cancelling_itself,
    )
}


@task(id="leaver", queue=narrow)
async def leaver(way: str) -> list[object]:
    starts.append(way)
    try:
        await WAYS[way]()
    except TimeoutError:
        return ["timeout", await quick.trigger_and_wait(7).unwrap()]
    return ["none", 0]


@task(id="plain-leaver", queue=narrow)
def plain_leaver(way: str) -> list[object]:
    starts.append(way)
    return asyncio.run(WAYS[way]())  # type: ignore[func-returns-value]  # never returns: it times out


@pytest.fixture
def h() -> Iterator[Harness]:
    starts.clear()
    with harness() as made:
        yield made


@pytest.mark.parametrize("way", WAYS)
def test_a_time_out_around_a_wait_is_felt_in_time_and_no_line_runs_twice(h: Harness, way: str) -> None:
    handle = leaver.sync.trigger(way)
    assert h.output(handle) == ["timeout", 7]
    assert starts == [way]
    kinds = [row["kind"] for row in h.store.read("list_events", run_id=handle.id)]
    assert kinds.count("claim") == 1 + kinds.count("park")


def test_a_plain_task_with_a_loop_of_its_own_feels_it_too(h: Harness) -> None:
    handle = plain_leaver.sync.trigger("by_timeout", max_attempts=1)
    h.drain()
    ended = h.run(handle)
    assert ended.status == "FAILED"
    assert ended.error is not None
    assert ended.error.type == "TimeoutError"
    assert starts == ["by_timeout"]


def test_a_run_that_left_its_wait_holds_a_slot_again(h: Harness) -> None:
    handles = [leaver.sync.trigger("by_timeout") for _ in range(4)]
    assert [h.output(handle) for handle in handles] == [["timeout", 7]] * 4


@task(id="loop-leaver")
def loop_leaver(_: None) -> list[object]:
    try:
        asyncio.run(by_timeout())
    except TimeoutError:
        went_on.set()
    return ["timeout", quick.sync.trigger_and_wait(7).unwrap()]


went_on = threading.Event()


def test_a_plain_run_goes_on_only_once_it_knows_that_it_was_claimed_again(h: Harness, monkeypatch: Any) -> None:
    """Given a thread that asks whether its run is parked just while another one takes it up, then it waits until the
    other is done: before, its words would be of the epoch that is over."""
    went_on.clear()
    taken_up = threading.Event()
    worker = h.worker
    adopted, send, start_clock = worker.adopted, worker.link.send, worker.stops.start_clock

    def noted(grant: Grant) -> Any:
        frame = adopted(grant)
        if frame is not None:
            taken_up.set()
        return frame

    def sent(exchanges: Any) -> None:
        send(exchanges)
        if any(isinstance(request, Leave) for request, _ in exchanges):
            assert taken_up.wait(10)

    def held_up(frame: Any, used_ms: int) -> None:
        if taken_up.is_set() and frame.task.id == "loop-leaver":
            went_on.wait(0.3)
        start_clock(frame, used_ms)

    monkeypatch.setattr(worker, "adopted", noted)
    monkeypatch.setattr(worker.link, "send", sent)
    monkeypatch.setattr(worker.stops, "start_clock", held_up)
    handle = loop_leaver.sync.trigger(None)
    assert h.output(handle) == ["timeout", 7]


def test_what_is_refused_because_the_run_was_just_parked_does_not_end_it(h: Harness, monkeypatch: Any) -> None:
    """Given the word of a run's start that is on its way while the run parks, when it is refused just as the wait is
    given up, then the run is claimed again and goes on."""
    worker = h.worker
    send = worker.link.send

    def sent(exchanges: Any) -> None:
        leave = next((request for request, _ in exchanges if isinstance(request, Leave)), None)
        if leave is not None:
            [frame] = [frame for frame in worker._frames.values() if frame.run_id == leave.run_id]
            assert frame.parked
            worker.link.send(frame.take_notes(report_start=True))
        send(exchanges)

    monkeypatch.setattr(worker.link, "send", sent)
    handle = loop_leaver.sync.trigger(None)
    assert h.output(handle) == ["timeout", 7]


caught: list[str] = []


@task(id="evicted-leaver")
async def evicted_leaver(_: None) -> None:
    try:
        await child.trigger_and_wait(1)
    except asyncio.CancelledError:
        caught.append("went on as if it had timed out")
        raise
    except BaseException as signal:
        caught.append(type(signal).__name__)
        went_on.set()
        raise


def test_a_run_that_is_evicted_just_as_its_wait_times_out_is_thrown_out(h: Harness) -> None:
    caught.clear()
    went_on.clear()
    worker = h.worker
    handle = evicted_leaver.sync.trigger(None)
    while h.run(handle).status != "WAITING":
        pass
    frame = worker._frames[handle.id]

    def both() -> None:
        assert frame.main is not None
        frame.main.cancel()
        frame.lose(Evicted)

    worker.loop.post(both)
    assert went_on.wait(10)
    assert caught == ["Evicted"]
