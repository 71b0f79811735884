"""The hub by itself: signs of life, readers that are slow, what it costs when nobody follows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import pytest
from tests.server.project import Project, Worker

from detent.client import Detent
from detent.model.protocol import Grant, MetadataOp, StreamParts
from detent.server.hub import Hub
from detent.server.sse import EventResponse

Pieces = AsyncGenerator[Sequence[bytes], None]


@pytest.fixture
def grant(project: Project) -> tuple[Worker, Grant]:
    worker = project.worker()
    Detent(project.transport).tasks.trigger("plain", 1, tags=["mine"])
    [grant] = worker.claim()
    return worker, grant


def _hub(project: Project, **more: Any) -> Hub:
    return Hub(project.operations.streams.shapes, project.operations.streams.listeners, **more)


def _feed(project: Project, operation: str, **values: Any) -> Any:
    return project.operations.streams.feed(operation, **values)


async def _until(pieces: Pieces, sign: bytes) -> bytes:
    """What comes, up to the first piece that has `sign` in it."""
    heard = b""
    async with asyncio.timeout(20):
        async for some in pieces:
            heard += b"".join(some)
            if sign in heard:
                return heard
    raise AssertionError(heard)


def test_a_silent_connection_gets_signs_of_life_and_those_of_a_list_move_its_place(
    project: Project, grant: tuple[Worker, Grant]
) -> None:
    worker, mine = grant

    async def play() -> tuple[bytes, bytes]:
        hub = _hub(project, beat_s=0.02)
        run = hub.follow(_feed(project, "realtime.run", id=mine.run_id), None)
        theirs = hub.follow(_feed(project, "realtime.runs", tags=["theirs"]), None)
        await _until(theirs, b"snapshot")
        await _until(run, b"data: ")
        # Nothing of it is for the list, whose reader is further on all the same.
        await asyncio.to_thread(worker.emit, mine, metadata=[MetadataOp("self", "set", "n", "1")])
        heard = await _until(run, b'{"n":1}')
        place = heard.rpartition(b"id: ")[2].partition(b"\n")[0]
        beats = await _until(run, b": beat"), await _until(theirs, b": beat\nid: %s\n\n" % place)
        hub.close()
        return beats

    of_run, of_list = asyncio.run(play())
    assert of_run.endswith(b": beat\n\n")
    assert b"data: " not in of_list


def test_a_reader_that_falls_behind_holds_no_memory_and_hears_all(
    project: Project, grant: tuple[Worker, Grant]
) -> None:
    worker, mine = grant
    total, most = 20, 3

    async def play() -> list[bytes]:
        hub = _hub(project, backlog=most)
        feed = _feed(project, "realtime.stream", run=mine.run_id, stream="tokens")
        slow, quick = hub.follow(feed, None), hub.follow(feed, None)
        for number in range(total):
            parts = StreamParts("tokens", number, [str(number)])
            await asyncio.to_thread(worker.emit, mine, writer=mine.epoch, streams=[parts])
            await _until(quick, b"data: %d\n" % number)
            if number == 0:
                heard = await _until(slow, b"data: 0\n")
        assert all(len(follower.waiting) <= most for follower in hub._topics[feed.key].followers)
        assert sum(follower.is_behind for follower in hub._topics[feed.key].followers) == 1
        await asyncio.to_thread(worker.finish, mine)
        heard += await _until(slow, b"event: end")
        hub.close()
        return [line for line in heard.splitlines() if line.startswith(b"data: ")]

    assert asyncio.run(play())[:-1] == [b"data: %d" % number for number in range(total)]


def test_a_connection_is_closed_in_good_order_when_it_has_lasted_long_enough(
    project: Project, grant: tuple[Worker, Grant]
) -> None:
    sent: list[Any] = []

    async def play() -> None:
        hub = _hub(project)

        async def send(message: Any) -> None:
            sent.append(message)

        async def receive() -> Any:
            await asyncio.Event().wait()

        pieces = hub.follow(_feed(project, "realtime.run", id=grant[1].run_id), None)
        async with asyncio.timeout(20):
            await EventResponse(pieces, life_s=0.2)({"type": "http"}, receive, send)
        assert not hub._topics
        hub.close()

    asyncio.run(play())
    assert sent[0]["status"] == 200
    assert b"data: " in b"".join(message["body"] for message in sent[1:])
    assert [message["more_body"] for message in sent[1:]] == [True] * (len(sent) - 2) + [False]


def test_where_nobody_follows_a_commit_is_looked_at_by_nobody(project: Project, grant: tuple[Worker, Grant]) -> None:
    worker, mine = grant

    async def play() -> None:
        hub = _hub(project)
        run = hub.follow(_feed(project, "realtime.run", id=mine.run_id), None)
        await _until(run, b"data: ")
        await run.aclose()
        await asyncio.to_thread(worker.finish, mine)
        assert hub._looking is None
        assert not hub._topics
        hub.close()

    asyncio.run(play())
