"""The search over logs, over HTTP and by the clients."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import httpx
import pytest
from tests.engine.conftest import DIALECTS
from tests.server.project import KEY, Project

from detent.client.async_detent import AsyncDetent
from detent.client.detent import Detent
from detent.engine.engine import Engine
from detent.engine.log_operations import LogOperations
from detent.errors import InvalidOptions
from detent.model.ids import new_id
from detent.model.protocol import Grant, LogLine, NewRun
from detent.server.http import HttpServer


@pytest.fixture(params=DIALECTS)
def dialect(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def http(server: HttpServer) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, headers={"authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        yield client


def write(project: Project, *texts: str, level: str = "info") -> Grant:
    worker = project.worker()
    project.operations.trigger([NewRun(new_id("run"), "plain", "null")])
    [grant] = worker.claim()
    now = project.engine.clock.now()
    worker.emit(grant, logs=[LogLine(now, level, text, None, None, "logger") for text in texts])
    return grant


def test_lines_are_found_over_all_runs_with_their_run_and_task(project: Project, http: httpx.Client) -> None:
    grants = [write(project, "slow call", "fast call"), write(project, "slow again", level="error")]
    answer = http.get("/api/v1/logs", params={"text": "SLOW", "period": "1h"})
    assert answer.status_code == 200, answer.text
    found = [(line["run_id"], line["task"], line["level"], line["message"]) for line in answer.json()["items"]]
    assert found == [
        (grants[1].run_id, "plain", "error", "slow again"),
        (grants[0].run_id, "plain", "info", "slow call"),
    ]
    assert answer.json()["next_cursor"] is None


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"level": "loud"}, "level"),
        ({"order": "random"}, "order"),
        ({"limit": 1_001}, "limit must be a whole number from 1 to 1000"),
        ({"since": "yesterday"}, "since must be a moment"),
        ({"period": "soon"}, "period"),
        ({"period": "1h", "since": "2026-01-01T00:00:00Z"}, "since and period were both given"),
        ({"cursor": "x"}, "cursor"),
        ({"text": "x" * 1_001}, "text must be a text of 0 to 1000 characters"),
    ],
)
def test_a_question_that_cannot_be_used_is_refused(http: httpx.Client, query: dict[str, str], said: str) -> None:
    answer = http.get("/api/v1/logs", params=query)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]


def test_both_clients_go_through_the_pages(project: Project) -> None:
    write(project, *[f"line {n}" for n in range(7)])
    client = Detent(project.transport)
    assert [line.message for line in client.logs.search("line", limit=3)] == [f"line {n}" for n in range(6, -1, -1)]
    assert [line.message for line in client.logs.search(order="oldest", limit=2)][:2] == ["line 0", "line 1"]

    async def awaited() -> list[str]:
        return [line.message async for line in AsyncDetent(project.transport).logs.search("line 1", since="1h")]

    assert asyncio.run(awaited()) == ["line 1"]
    with pytest.raises(InvalidOptions, match="did you mean 'oldest'"):
        client.logs.search(order="oldes")


def test_another_environment_finds_nothing(project: Project) -> None:
    grant = write(project, "mine")
    other = LogOperations(Engine(project.store, env="prod"), project.telemetry)
    assert other.search()["items"] == []
    assert other.search(run=grant.run_id)["items"] == []
