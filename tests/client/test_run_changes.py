from __future__ import annotations

import asyncio

import pytest
from tests.server.project import KEY, Project

from detent.client import AsyncDetent, Detent
from detent.errors import Conflict
from detent.server.http import HttpServer


def test_one_run_is_changed_over_http(project: Project, server: HttpServer) -> None:
    project.worker()
    with Detent(api_url=server.url, secret_key=KEY) as client:
        run = client.tasks.trigger("plain", 1, delay="1h", idempotency_key="a/b").id
        moved = client.runs.reschedule(run, "2h")
        assert client.runs.retrieve(run).delay_until == moved.delay_until
        assert client.runs.update_metadata(run, {"n": 1}) == {"n": 1}
        assert client.runs.update_metadata(run, operations=[{"op": "increment", "key": "n", "value": 2}]) == {"n": 3}
        assert client.runs.add_tags(run, ["x", "y"]) == ["x", "y"]
        assert client.runs.reset_idempotency_key("plain", "a/b").run_id == run
        client.runs.cancel(run)
        with pytest.raises(Conflict, match="CANCELED"):
            client.runs.reschedule(run, "1m")


def test_the_awaited_client_changes_a_run_too(project: Project, server: HttpServer) -> None:
    async def change() -> tuple[list[str], object]:
        async with AsyncDetent(api_url=server.url, secret_key=KEY) as client:
            run = (await client.tasks.trigger("plain", 1, delay="1h")).id
            await client.runs.reschedule(run, "2h")
            await client.runs.update_metadata(run, {"n": 1})
            await client.runs.reset_idempotency_key("plain", ["a", "b"])
            return await client.runs.add_tags(run, "x"), (await client.runs.retrieve(run)).metadata

    project.worker()
    assert asyncio.run(change()) == (["x"], {"n": 1})
