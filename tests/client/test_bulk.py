from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent
from detent.errors import Conflict, InvalidOptions, NotFound
from detent.model.bulk_views import BulkAction
from detent.server.http import HttpServer


@pytest.fixture
def client(project: Project, server: HttpServer) -> Iterator[Detent]:
    project.worker()
    project.engine.start()
    with Detent(api_url=server.url, secret_key=KEY) as client:
        yield client
    project.engine.stop()


def test_many_runs_are_cancelled_and_replayed_over_http(client: Detent) -> None:
    # Given
    batch = client.tasks.batch_trigger([{"payload": n} for n in range(120)], "plain")
    told = client.runs.bulk.cancel(batch=batch.id, dry_run=True)
    assert (told.status, told.expected, len(told.examples), told.is_finished) == ("DRY_RUN", 120, 5, True)
    # When
    made = client.runs.bulk.cancel(batch=batch.id, since="1h", reason="a mistake", name="tidy")
    ended = client.runs.bulk.poll(made.id, "30s")
    # Then
    assert (ended.status, ended.succeeded, ended.failed, ended.skipped) == ("COMPLETED", 120, 0, 0)
    error = client.runs.retrieve(batch.runs[0].id).error
    assert error is not None
    assert error.message == "a mistake"
    # And the same runs, by their ids
    again = client.runs.bulk.replay(ids=[run.id for run in batch.runs])
    assert client.runs.bulk.poll(again.id).succeeded == 120
    assert len(list(client.runs.list(status="queued", limit=100))) == 120
    assert [action.id for action in client.runs.bulk.list(limit=1)] == [again.id, made.id]


def test_what_is_refused_comes_as_the_error_that_it_is(client: Detent) -> None:
    with pytest.raises(InvalidOptions, match="at least one of"):
        client.runs.bulk.cancel()
    with pytest.raises(InvalidOptions, match="taks"):
        client.runs.bulk.cancel(taks="plain")  # type: ignore[call-arg]
    with pytest.raises(NotFound, match="bulk"):
        client.runs.bulk.retrieve("bulk_1")
    made = client.runs.bulk.replay(task="nobody")
    client.runs.bulk.poll(made.id)
    with pytest.raises(Conflict):
        client.runs.bulk.abort(made.id)


def test_the_awaited_client_works_on_many_runs_too(client: Detent, server: HttpServer) -> None:
    client.tasks.batch_trigger([{"payload": n} for n in range(3)], "plain")

    async def cancel() -> list[BulkAction]:
        async with AsyncDetent(api_url=server.url, secret_key=KEY) as other:
            made = await other.runs.bulk.cancel(task="plain")
            await other.runs.bulk.poll(made.id)
            return [action async for action in other.runs.bulk.list()]

    assert [action.succeeded for action in asyncio.run(cancel())] == [3]
