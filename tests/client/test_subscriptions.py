"""Following runs and streams through the clients, over HTTP and in process; waiting for the end of a run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.server.project import KEY, Project, Worker

from detent.client import AsyncDetent, Detent, HttpTransport
from detent.errors import NotFound, ServerUnreachable
from detent.model.protocol import Grant, MetadataOp, StreamParts
from detent.model.transport import Transport
from detent.server.http import HttpServer


@pytest.fixture(params=["http", "embedded"])
def transport(request: pytest.FixtureRequest, project: Project, server: HttpServer) -> Iterator[Transport]:
    transport: Transport = project.transport
    if request.param == "http":
        transport = HttpTransport(server.url, KEY)
    yield transport
    transport.close()


@pytest.fixture
def client(transport: Transport) -> Detent:
    return Detent(transport)


@pytest.fixture
def worker(project: Project) -> Worker:
    return project.worker()


def _live(worker: Worker, grant: Grant) -> None:
    """What a run does once somebody looks on."""
    worker.emit(grant, metadata=[MetadataOp("self", "set", "n", "1")])
    worker.emit(grant, writer=grant.epoch, streams=[StreamParts("tokens", 0, ['"a"', '{"b": 1}'])])
    worker.finish(grant, output='"done"')


def _beside(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


def test_a_run_and_its_streams_are_followed_to_their_end(client: Detent, worker: Worker) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    updates = client.runs.subscribe(run.id)
    first = next(updates)
    live = _beside(lambda: _live(worker, grant))
    rest = list(updates)
    live.join()
    assert (first.status, first.metadata, first.events) == ("DEQUEUED", {}, [])
    assert (rest[-1].status, rest[-1].metadata, rest[-1].output) == ("COMPLETED", {"n": 1}, "done")
    assert [event.kind for update in rest for event in update.events] == ["finish"]
    assert list(client.streams.read(run.id, "tokens")) == ["a", {"b": 1}]
    assert list(client.streams.read(run.id, "tokens", after=1)) == [{"b": 1}]
    assert [part.seq for part in client.streams.parts(run.id, "tokens")] == [1, 2]


def test_the_same_on_an_event_loop(transport: Transport, worker: Worker) -> None:
    async def play() -> tuple[list[Any], list[Any]]:
        client = AsyncDetent(transport)
        run = await client.tasks.trigger("plain", 1)
        [grant] = worker.claim()
        seen = []
        async for update in client.runs.subscribe(run.id):
            if not seen:
                asyncio.get_running_loop().run_in_executor(None, _live, worker, grant)
            seen.append(update.status)
        parts = [part async for part in client.streams.read(run.id, "tokens")]
        if isinstance(transport, HttpTransport):
            await transport.aclose()
        return seen, parts

    seen, parts = asyncio.run(play())
    assert (seen[0], seen[-1]) == ("DEQUEUED", "COMPLETED")
    assert parts == ["a", {"b": 1}]


def test_runs_of_a_tag_and_of_a_batch_are_followed(client: Detent, worker: Worker) -> None:
    tagged = client.tasks.trigger("plain", 1, tags=["mine"])
    changes = client.runs.subscribe_to_tag(["mine", "ours"], task="plain", created_at="1h")
    assert next(changes).id == tagged.id
    [grant] = worker.claim()
    live = _beside(lambda: _live(worker, grant))
    while next(changes).status != "COMPLETED":
        pass
    live.join()

    batch = client.tasks.batch_trigger([{"payload": n} for n in range(2)], "plain")
    assert batch.id is not None
    of_batch = client.runs.subscribe_to_batch(batch.id)
    seen = [next(of_batch), next(of_batch)]
    grants = worker.claim()
    live = _beside(lambda: [worker.finish(grant) for grant in grants] and None)
    seen += of_batch
    live.join()
    assert {run.id for run in seen} == {run.id for run in batch.runs}
    assert sum(run.status == "COMPLETED" for run in seen) == 2


def test_what_is_not_there_cannot_be_followed(client: Detent) -> None:
    with pytest.raises(NotFound):
        next(client.runs.subscribe("run_nope"))
    with pytest.raises(NotFound):
        next(client.runs.subscribe_to_batch("batch_nope"))


def test_a_run_that_takes_its_time_is_waited_for_by_its_last_event(client: Detent, worker: Worker) -> None:
    run = client.tasks.trigger("plain", 1)
    [grant] = worker.claim()
    assert client.runs.result(run.id).ok is None
    transport = client._transport
    waiting = _beside(lambda: transport.wait(run.id, 30.0))
    worker.finish(grant)
    waiting.join(20)
    assert not waiting.is_alive()

    async def wait() -> None:
        async with asyncio.timeout(20):
            await transport.wait_async(run.id, 30.0)
        if isinstance(transport, HttpTransport):
            await transport.aclose()

    asyncio.run(wait())


def test_a_run_that_does_not_end_in_time_is_given_up(client: Detent, worker: Worker) -> None:
    run = client.tasks.trigger("plain", 1)
    with pytest.raises(TimeoutError, match="had not ended after 1"):
        client.runs.poll(run.id, timeout=1)


def test_a_server_that_does_not_come_back_is_told_of(project: Project, worker: Worker) -> None:
    server = project.serve()
    transport = HttpTransport(server.url, KEY)
    run = Detent(transport).tasks.trigger("plain", 1)
    events = transport.follow("realtime.run", {"id": run.id}, None, 0.2)
    assert next(events).data["status"] == "QUEUED"
    server.stop()
    with pytest.raises(ServerUnreachable, match="no detent server answers"):
        next(events)
    transport.close()
