from __future__ import annotations

import asyncio

import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent
from detent.errors import InvalidOptions, NotFound
from detent.server.http import HttpServer


def test_queues_are_changed_over_http_whatever_is_in_their_names(project: Project, server: HttpServer) -> None:
    project.worker()
    with Detent(api_url=server.url, secret_key=KEY) as client:
        client.tasks.trigger("with/slash", 1, concurrency_key="a")
        name = "task/with/slash"
        assert client.queues.pause(name).paused
        assert not client.queues.resume(name).paused
        limited = client.queues.override_limit(name, 7, ttl="1h")
        assert (limited.name, limited.limit, limited.declared_limit) == (name, 7, None)
        assert limited.override_until is not None
        assert client.queues.reset_limit(name).limit is None
        assert client.queues.retrieve(name).queued == 1
        assert [(key.key, key.queued) for key in client.queues.keys(name)] == [("a", 1)]
        assert name in [queue.name for queue in client.queues.list()]
        with pytest.raises(NotFound):
            client.queues.retrieve("task/with")
        with pytest.raises(InvalidOptions, match="pause"):
            client.queues.override_limit(name, 0)


def test_the_awaited_client_changes_queues_too(project: Project, server: HttpServer) -> None:
    async def change() -> list[tuple[str, int | None, bool]]:
        async with AsyncDetent(api_url=server.url, secret_key=KEY) as client:
            await client.queues.override_limit("typed", 4)
            await client.queues.pause("typed")
            return [(queue.name, queue.limit, queue.paused) for queue in await client.queues.list()]

    project.worker()
    assert ("typed", 4, True) in asyncio.run(change())
