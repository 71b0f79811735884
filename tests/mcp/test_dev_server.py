"""A project is begun and its dev server is run by a model, without a person at the keyboard."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from detent_mcp.connection import Connection
from detent_mcp.server import Entry, make_server
from detent_mcp.settings import Settings
from mcp import Client


@asynccontextmanager
async def beside(**settings: Any) -> AsyncIterator[Client]:
    """A client of an MCP server that runs on this machine, for the project of ``DETENT_PROJECT_DIR``."""
    chosen = Settings(**settings)
    connection = Connection(chosen)
    entry = Entry(connection, chosen)
    async with Client(make_server(chosen, lambda _context: entry)) as client:
        yield client
    dev = connection.dev
    if dev is not None and dev.runs:
        await dev.stop()
    await connection.close()


def within(work: Callable[[Client], Awaitable[Any]], **settings: Any) -> Any:
    async def all_of_it() -> Any:
        async with beside(**settings) as client:
            return await work(client)

    return asyncio.run(all_of_it())


async def ask(client: Client, tool: str, **arguments: Any) -> Any:
    result = await client.call_tool(tool, arguments)
    told = result.structured_content
    assert told is not None
    return told["error"] if result.is_error else told


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("DETENT_API_URL", "DETENT_SECRET_KEY", "CLAUDE_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(tmp_path))
    return tmp_path


def test_a_model_begins_a_project_runs_it_and_stops_it(folder: Path) -> None:
    async def work(client: Client) -> None:
        # When an empty folder is made a project
        made = await ask(client, "initialize_project", name="shop")
        # Then it is as `detent init` makes it, and done again it changes nothing
        assert (made["project"], made["folder"]) == ("shop", str(folder))
        assert any("tasks/hello.py" in change for change in made["changes"])
        again = await ask(client, "initialize_project")
        assert all(change.startswith("kept") for change in again["changes"])
        assert (await ask(client, "initialize_project", server=True))["code"] == "not_logged_in"

        # When its dev server is started
        before = await ask(client, "dev_server")
        assert (before["running"], before["next"]) == (False, 'dev_server(action="start")')
        started = await ask(client, "dev_server", action="start")
        # Then it runs, with its lines, and its tasks can be seen
        assert (started["running"], started["started_here"]) == (True, True)
        assert started["lines"]
        assert "already" in (await ask(client, "dev_server", action="start"))["note"]
        tasks = await ask(client, "get_current_worker", task="hello")
        assert tasks["example_payload"] == {"name": "world"}

        # When it is stopped
        stopped = await ask(client, "dev_server", action="stop", lines=0)
        # Then its process is gone
        assert stopped["running"] is False
        assert not psutil.pid_exists(started["pid"]) or psutil.Process(started["pid"]).status() == "zombie"
        assert (await ask(client, "dev_server", action="stop"))["note"] == "none ran"

    within(work)


def test_who_only_reads_sees_the_dev_server_and_does_not_start_it(folder: Path) -> None:
    (folder / "detent.toml").write_text('project = "shop"\n')

    async def work(client: Client) -> None:
        status = await ask(client, "dev_server")
        assert (status["running"], status["next"]) == (False, f"cd {folder} && detent dev")
        assert (await ask(client, "dev_server", action="start"))["code"] == "invalid_arguments"
        assert (await ask(client, "initialize_project"))["code"] == "not_offered"

    within(work, readonly=True)
    assert not (folder / ".detent").exists()


def test_where_there_is_no_project_the_next_step_is_told(folder: Path) -> None:
    async def work(client: Client) -> None:
        refused = await ask(client, "dev_server", action="start")
        assert refused["code"] == "no_project"
        assert "detent init" in refused["next"]
        relative = await ask(client, "initialize_project", folder="shop")
        assert "absolute" in relative["message"]

    within(work)


def test_a_server_that_somebody_else_started_is_not_stopped(folder: Path) -> None:
    import json
    import os

    (folder / "detent.toml").write_text('project = "shop"\n')
    (folder / ".detent").mkdir()
    told = {"url": "http://127.0.0.1:9", "pid": os.getpid(), "key": None, "socket": None}
    (folder / ".detent" / "server.json").write_text(json.dumps(told))

    async def work(client: Client) -> None:
        refused = await ask(client, "dev_server", action="stop")
        assert refused["code"] == "conflict"
        assert str(os.getpid()) in refused["message"]

    within(work)
