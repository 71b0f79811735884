"""``/mcp`` of a server: who gets in, and what their key shows them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import httpx
import pytest
from tests.mcp.conftest import Assistant
from tests.server.project import KEY, Project

from detent.server.http import HttpServer

HELLO = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}},
}
GOOD = {"authorization": f"Bearer {KEY}", "accept": "application/json, text/event-stream"}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"host": "evil.example"}, 421),
        ({"origin": "https://evil.example"}, 403),
        ({"origin": "http://localhost:3000"}, 200),
        ({"authorization": "Bearer dt_dev_wrong"}, 401),
        ({"authorization": ""}, 401),
        ({"host": "evil.example", "authorization": ""}, 421),
    ],
)
def test_host_origin_and_key_are_checked(served: HttpServer, headers: dict[str, str], status: int) -> None:
    # When a client says hello with such headers
    answer = httpx.post(f"{served.url}/mcp", json=HELLO, headers=GOOD | headers, trust_env=False)

    # Then it gets in, or is told why not
    assert answer.status_code == status
    assert (status == 401) == ("www-authenticate" in answer.headers)


@pytest.fixture
def far(assistant: Assistant) -> Assistant:
    return replace(assistant, way="http")


def test_a_key_that_reads_sees_readers_alone(far: Assistant, project: Project) -> None:
    # Given a key that may read runs
    key = project.operations.call("keys.create", name="r", scopes=["runs:read"])["secret"]
    reader = replace(far, key=key)

    # Then it sees what that is enough for
    names = {tool.name for tool in reader.run(lambda client: client.list_tools()).tools}
    assert "list_runs" in names
    assert "trigger_task" not in names
    assert reader.ask("list_runs")["runs"] == []
    assert "tasks:write" in reader.refused("trigger_task", {"task": "plain"})["message"]


def test_the_environment_is_that_of_the_key(far: Assistant, project: Project) -> None:
    # Given a key of staging
    staging = replace(far, key=project.operations.call("keys.create", name="s", environment="staging")["secret"])

    # When a task is triggered with it
    made = staging.ask("trigger_task", {"task": "plain"})

    # Then it is in staging, and not in dev
    assert made["environment"] == "staging"
    assert [run["id"] for run in staging.ask("list_runs")["runs"]] == [made["run"]]
    assert far.ask("list_runs")["runs"] == []
    assert "prod" in staging.refused("list_runs", {"env": "prod"})["message"]


def test_a_session_belongs_to_the_key_that_began_it(served: HttpServer, project: Project) -> None:
    # Given a session of one key
    other = project.operations.call("keys.create", name="other")["secret"]
    with httpx.Client(base_url=served.url, trust_env=False, headers=GOOD) as client:
        session = client.post("/mcp", json=HELLO).headers["mcp-session-id"]
        asked: dict[str, Any] = {"jsonrpc": "2.0", "id": 2, "method": "tools/list"}

        # When another key names it
        headers = {"mcp-session-id": session, "authorization": f"Bearer {other}"}

        # Then there is no such session
        assert client.post("/mcp", json=asked, headers=headers).status_code == 404
        assert client.post("/mcp", json=asked, headers={"mcp-session-id": session}).status_code == 200
