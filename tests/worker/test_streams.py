"""Streams that runs write: in order, each part once, and what becomes of them when a run is executed again."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from tests.worker.elsewhere import go_elsewhere, parked

from detent import Context, Retry, step, streams, task, wait
from detent.client import AsyncDetent, Detent
from detent.errors import InvalidOptions, LimitExceeded, NotFound, NotInRun, Unserializable
from detent.model.stream_views import StreamPart
from detent.sync import step as step_sync
from detent.sync import streams as streams_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
executions: list[int] = []


class Token(BaseModel):
    """A typed part."""

    text: str


tokens = streams.define("tokens", Token)


@pytest.fixture
def h() -> Iterator[Harness]:
    executions.clear()
    with harness() as made:
        yield made


@pytest.fixture
def client(h: Harness) -> Detent:
    return Detent(h.transport)


async def words(n: int) -> AsyncIterator[str]:
    for number in range(n):
        await asyncio.sleep(0)
        yield f"word {number}"


@task(id="stream-pipes", retry=once)
async def pipes(n: int) -> list[str]:
    return [word async for word in streams.pipe("words", words(n))]


@task(id="stream-pipes-plain", retry=once)
def pipes_plain(n: int) -> list[str]:
    return list(streams_sync.pipe("words", (f"word {number}" for number in range(n))))


@pytest.mark.parametrize("made", [pipes, pipes_plain])
def test_what_is_piped_is_kept_in_order_and_goes_on_to_the_run(h: Harness, client: Detent, made: Any) -> None:
    run = made.sync.trigger(500)
    expected = [f"word {number}" for number in range(500)]
    assert h.output(run) == expected
    assert list(client.streams.read(run.id, "words")) == expected
    assert [part.seq for part in client.streams.parts(run.id, "words")] == list(range(1, 501))
    assert list(client.streams.read(run.id, "words", after=498)) == expected[498:]
    [info] = client.streams.list(run.id)
    assert (info.name, info.parts, info.closed, info.attempt) == ("words", 500, False, 1)


@task(id="stream-writes", retry=once)
async def writes(_: None) -> None:
    async with streams.writer("log") as log:
        await log.write({"n": 1})
        await log.write([None, "ä\n\u2028", 1.5])
    await tokens.append(Token(text="typed"))
    await streams.append("secrets", "Bearer sk-0123456789abcdef0123")


def test_parts_are_any_json_and_typed_where_the_stream_is(h: Harness, client: Detent) -> None:
    run = writes.sync.trigger(None)
    h.drain()
    assert list(client.streams.read(run.id, "log")) == [{"n": 1}, [None, "ä\n\u2028", 1.5]]
    assert list(client.streams.read(run.id, "secrets")) == ["Bearer [redacted]"]
    assert {info.name: info.closed for info in client.streams.list(run.id)} == {
        "log": True, "secrets": False, "tokens": False,
    }  # fmt: skip

    async def read() -> list[Any]:
        typed = [part async for part in tokens.read(run.id)]
        raw = [part async for part in AsyncDetent(h.transport).streams.read(run.id, "tokens")]
        return [*typed, *raw]

    assert asyncio.run(read()) == [Token(text="typed"), {"text": "typed"}]
    assert list(streams_sync.define("tokens", Token).read(run.id)) == [Token(text="typed")]


@task(id="stream-refused", retry=once)
async def refused(what: str) -> None:
    match what:
        case "object":
            await streams.append("s", object())
        case "large":
            await streams.append("s", "x" * (256 * 1024))
        case "name":
            await streams.append("", "x")


@pytest.mark.parametrize(
    ("what", "error"), [("object", Unserializable), ("large", LimitExceeded), ("name", InvalidOptions)]
)
def test_what_is_no_part_is_refused(h: Harness, what: str, error: type[Exception]) -> None:
    run = refused.sync.trigger(what)
    h.drain()
    ended = h.run(run)
    assert ended.error is not None
    assert ended.error.type == error.__name__


def test_outside_of_a_run_nothing_is_written_and_an_unknown_run_has_no_streams(client: Detent) -> None:
    with pytest.raises(NotInRun):
        streams_sync.append("s", 1)
    with pytest.raises(NotFound):
        list(client.streams.read("run_nope", "s"))
    with pytest.raises(NotFound):
        client.streams.list("run_nope")


@task(id="stream-steps", retry=once)
async def steps(_: None) -> None:
    executions.append(1)
    await streams.append("s", f"before {len(executions)}")

    async def first() -> None:
        await streams.append("s", f"in step {len(executions)}")

    await step("first", first)
    await streams.append("s", f"between {len(executions)}")
    await wait.for_(minutes=1)
    await streams.append("s", f"after {len(executions)}")


def test_what_was_written_before_a_step_or_a_wait_is_not_written_again(h: Harness, client: Detent) -> None:
    run = steps.sync.trigger(None)
    parked(h, run)
    go_elsewhere(h)
    h.drain()
    assert h.run(run).status == "COMPLETED"
    assert len(executions) == 2
    assert list(client.streams.read(run.id, "s")) == ["before 1", "in step 1", "between 1", "after 2"]
    assert all(part.restarted is None for part in client.streams.parts(run.id, "s"))


@task(id="stream-attempts", retry=Retry(max_attempts=2))
async def attempts(_: None, ctx: Context) -> None:
    async with streams.writer("s") as writer:
        for number in range(3):
            await writer.write(f"{ctx.attempt.number}.{number}")
            if (ctx.attempt.number, number) == (1, 1):
                raise ValueError("the first attempt fails")


def test_another_attempt_says_that_it_writes_again(h: Harness, client: Detent) -> None:
    run = attempts.sync.trigger(None)
    h.drain()
    assert list(client.streams.parts(run.id, "s")) == [
        StreamPart(seq=1, value="1.0"),
        StreamPart(seq=2, value="1.1"),
        StreamPart(seq=3, restarted=0, attempt=2),
        StreamPart(seq=4, value="2.0"),
        StreamPart(seq=5, value="2.1"),
        StreamPart(seq=6, value="2.2"),
    ]
    [info] = client.streams.list(run.id)
    assert (info.parts, info.attempt, info.closed) == (3, 2, True)


@task(id="stream-lost", retry=once)
def lost(_: None) -> None:
    executions.append(1)
    mine = len(executions)
    step_sync("settled", lambda: streams_sync.append("s", f"settled {mine}"))
    for number in range(10_000 if mine == 1 else 3):
        streams_sync.append("s", f"{mine}.{number}")
        time.sleep(0.001)


def test_a_run_whose_worker_is_lost_goes_on_after_what_is_settled(h: Harness, client: Detent) -> None:
    run = lost.sync.trigger(None)
    reader = client.streams.parts(run.id, "s")
    heard = [next(reader) for _ in range(20)]
    go_elsewhere(h)
    heard += reader
    at = next(place for place, part in enumerate(heard) if part.restarted is not None)
    assert [part.value for part in heard[:at]] == ["settled 1", *(f"1.{number}" for number in range(at - 1))]
    assert heard[at].restarted == 1
    assert [part.value for part in heard[at + 1 :]] == ["2.0", "2.1", "2.2"]
    assert [part.seq for part in heard] == list(range(1, len(heard) + 1))


@task(id="stream-full", retry=once)
async def full(_: None) -> int:
    part = "x" * 250_000
    for _number in range(150):
        await streams.append("s", part)
    return 150


def test_a_stream_that_is_full_keeps_what_it_has_and_the_run_is_told(h: Harness, client: Detent) -> None:
    run = full.sync.trigger(None)
    assert h.output(run) == 150
    [info] = client.streams.list(run.id)
    assert 30_000_000 < info.bytes <= 32 * 1024 * 1024
    assert any("stream 's' is full" in line.message for line in h.logs(run))
