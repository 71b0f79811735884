"""Values that are sent to a run: kept until it asks, given once and in order, also when it is executed again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from tests.worker.elsewhere import go_elsewhere, parked

from detent import Retry, step, streams, task
from detent.client import Detent
from detent.errors import Conflict, LimitExceeded, NotFound, WaitTimedOut
from detent.sync import streams as streams_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
executions: list[int] = []


class Message(BaseModel):
    """A typed value."""

    text: str


messages = streams.input("messages", str)


@pytest.fixture
def h() -> Iterator[Harness]:
    executions.clear()
    with harness() as made:
        yield made


@pytest.fixture
def client(h: Harness) -> Detent:
    return Detent(h.transport)


@task(id="input-reads", retry=once)
async def reads(n: int) -> list[str]:
    executions.append(1)
    return [await messages.wait() for _ in range(n)]


@task(id="input-reads-plain", retry=once)
def reads_plain(n: int) -> list[str]:
    executions.append(1)
    inbox = streams_sync.input("messages", str)
    return [inbox.once() for _ in range(n)]


reading = pytest.mark.parametrize("made", [reads, reads_plain])


@reading
def test_what_was_sent_before_the_run_asks_is_kept_and_given_in_order(h: Harness, client: Detent, made: Any) -> None:
    run = made.sync.trigger(3, delay="1h")
    seqs = [client.runs.send_input(run.id, "messages", f"m{n}").seq for n in range(3)]
    assert seqs == [1, 2, 3]
    assert h.output(run) == ["m0", "m1", "m2"]


@reading
@pytest.mark.parametrize("is_cold", [False, True], ids=["warm", "cold"])
def test_a_run_parks_until_the_next_value_comes(h: Harness, client: Detent, made: Any, is_cold: bool) -> None:
    run = made.sync.trigger(3)
    for number in range(3):
        parked(h, run)
        shown = h.run(run)
        assert [(one.kind, one.key) for one in shown.waits] == [("input", f"input:messages#{number + 1}")]
        assert shown.not_running is not None
        assert shown.not_running.message == "waits for input"
        if is_cold:
            go_elsewhere(h)
        client.runs.send_input(run.id, "messages", f"m{number}")
    assert h.output(run) == ["m0", "m1", "m2"]
    assert len(executions) == (4 if is_cold else 1)


@reading
def test_a_value_that_comes_while_nobody_holds_the_run_is_given_to_whoever_goes_on_with_it(
    h: Harness, client: Detent, made: Any
) -> None:
    run = made.sync.trigger(2)
    parked(h, run)
    h.engine.lose_worker(h.workers[-1].worker_id, "killed by the test")
    client.runs.send_input(run.id, "messages", "m0")
    client.runs.send_input(run.id, "messages", "m1")
    h.start_worker()
    assert h.output(run) == ["m0", "m1"]


@task(id="input-in-time", retry=once)
async def in_time(_: None) -> list[str]:
    try:
        await messages.wait(timeout="10m")
    except WaitTimedOut as error:
        first = str(error)
    return [first, await messages.wait(timeout="10m")]


def test_a_wait_that_times_out_takes_no_value(h: Harness, client: Detent) -> None:
    run = in_time.sync.trigger(None)
    h.advance("11m")
    client.runs.send_input(run.id, "messages", "late")
    assert h.output(run) == ["nothing was sent to the input 'messages' within 10m", "late"]


@task(id="input-typed", retry=once)
async def typed(_: None) -> list[Any]:
    inbox = streams.input("typed", Message)
    before = await inbox.peek()
    first = await inbox.wait()
    found = await step("look", look)
    return [before and before.text, first.text, found, (await inbox.wait()).text, await inbox.peek()]


async def look() -> str | None:
    found = await streams.input("typed", Message).peek()
    return found and found.text


def test_values_are_typed_and_a_peek_leaves_them(h: Harness, client: Detent) -> None:
    run = typed.sync.trigger(None, delay="1h")
    for text in ("a", "b"):
        client.runs.send_input(run.id, "typed", Message(text=text))
    assert h.output(run) == ["a", "a", "b", "b", None]


@task(id="input-two", retry=once)
async def two(_: None) -> list[Any]:
    left, right = streams.input("left"), streams.input("right")
    return list(await asyncio.gather(left.wait(), right.wait(), right.wait()))


@pytest.mark.parametrize("is_cold", [False, True], ids=["warm", "cold"])
def test_waits_side_by_side_get_values_of_their_own(h: Harness, client: Detent, is_cold: bool) -> None:
    run = two.sync.trigger(None)
    parked(h, run)
    client.runs.send_input(run.id, "right", 1)
    parked(h, run)
    if is_cold:
        go_elsewhere(h)
        parked(h, run)
    client.runs.send_input(run.id, "left", 2)
    client.runs.send_input(run.id, "right", 3)
    assert h.output(run) == [2, 1, 3]


@task(id="input-on", retry=once)
async def listens(n: int) -> list[str]:
    heard: list[str] = []
    full = asyncio.Event()

    async def hear(text: str) -> None:
        heard.append(text)
        if len(heard) == n:
            full.set()

    listening = messages.on(hear)
    await full.wait()
    listening.off()
    return heard


def test_a_handler_is_called_with_each_value(h: Harness, client: Detent) -> None:
    run = listens.sync.trigger(3)
    for number in range(3):
        client.runs.send_input(run.id, "messages", f"m{number}")
    assert h.output(run) == ["m0", "m1", "m2"]


@task(id="input-on-left", retry=once)
async def listens_to_the_end(_: None) -> str:
    messages.on(executions.append)
    return "done"


def test_a_handler_that_is_left_does_not_keep_its_run(h: Harness) -> None:
    assert h.output(listens_to_the_end.sync.trigger(None)) == "done"


@task(id="input-fails", retry=Retry(max_attempts=2, min_timeout=1, max_timeout=1))
async def fails_once(_: None) -> list[str]:
    executions.append(1)
    first = await messages.wait()
    if len(executions) == 1:
        raise ValueError("again")
    return [first, await messages.wait()]


def test_another_attempt_has_what_the_one_before_was_given(h: Harness, client: Detent) -> None:
    run = fails_once.sync.trigger(None)
    for text in ("a", "b"):
        client.runs.send_input(run.id, "messages", text)
    assert h.output(run) == ["a", "b"]


def test_runs_that_have_ended_or_are_not_there_or_have_too_much_are_refused(h: Harness, client: Detent) -> None:
    run = reads.sync.trigger(0)
    h.drain()
    with pytest.raises(Conflict, match="has ended \\(COMPLETED\\)"):
        client.runs.send_input(run.id, "messages", "late")
    with pytest.raises(NotFound):
        client.runs.send_input("run_nope", "messages", "x")
    slow = reads.sync.trigger(1, delay="1h")
    with pytest.raises(LimitExceeded, match="128 KiB"):
        client.runs.send_input(slow.id, "messages", "x" * 200_000)
    for number in range(1_000):
        h.operations.call("streams.send_input", run=slow.id, stream="messages", value=number)
    with pytest.raises(LimitExceeded, match="1,000 values"):
        client.runs.send_input(slow.id, "messages", "one too many")


def test_the_same_call_made_again_sends_once(h: Harness) -> None:
    run = reads.sync.trigger(2, delay="1h")
    for by in ("call_1", "call_1", "call_2"):
        h.operations.call("streams.send_input", run=run.id, stream="messages", value=by, by=by)
    assert h.output(run) == ["call_1", "call_2"]
