"""What a server speaks to, how often, and what it says when that is not there."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.mcp.conftest import Assistant
from tests.mcp.test_dev_server import ask, within
from tests.server.project import KEY, Project

from detent.server.http import HttpServer
from detent_cli.credentials import keep_key
from detent_cli.profiles import Profile, change_profiles
from detent_cli.remote import remote
from detent_mcp.connection import Connection
from detent_mcp.server import Entry, make_server
from mcp import Client


def test_each_call_is_one_request_on_a_warm_connection(
    assistant: Assistant, project: Project, asked: list[str]
) -> None:
    # Given a client that has called once
    project.worker()

    async def work(client: Client) -> list[list[str]]:
        run = (await client.call_tool("trigger_task", {"task": "plain"})).structured_content["run"]
        token = project.operations.call("tokens.create")["id"]
        calls: list[tuple[str, dict[str, Any]]] = [
            ("list_runs", {}),
            ("trigger_task", {"task": "plain"}),
            ("trigger_task", {"task": "plain", "dry_run": True}),
            ("get_current_worker", {}),
            ("get_run_details", {"run": run}),
            ("diagnose_run", {"run": run}),
            ("search_logs", {}),
            ("get_report", {}),
            ("list_queues", {}),
            ("control_queue", {"queue": "typed", "action": "pause"}),
            ("list_waitpoints", {}),
            ("complete_waitpoint", {"token": token}),
            ("schedules", {}),
            ("list_deploys", {}),
            ("list_projects", {}),
            ("replay_run", {"run": run}),
            ("cancel_run", {"run": run}),
            ("wait_for_run_to_complete", {"runs": [run]}),
        ]
        counted = []

        # When it calls one tool after the other
        for tool, arguments in calls:
            asked.clear()
            result = await client.call_tool(tool, arguments)
            assert not result.is_error, (tool, result.content)
            counted.append([tool, *asked])
        return counted

    # Then each of them asked the API once
    assert [call for call in assistant.run(work) if len(call) != 2] == []


def test_a_wrong_key_is_told_with_the_command_that_makes_a_good_one(assistant: Assistant) -> None:
    # When the key is wrong (over HTTP the client itself is refused, see test_http)
    refusal = replace(assistant, key="dt_dev_wrong").refused("list_runs")

    # Then the model is told what the user has to do
    assert refusal["code"] == "unauthorized"
    assert "detent keys create" in refusal["next"]


def test_a_server_that_is_not_there_is_told_with_its_address(assistant: Assistant) -> None:
    # When nothing listens where the server should be
    refusal = replace(assistant, url="http://127.0.0.1:9").refused("list_runs")

    # Then that is told
    assert refusal["code"] == "server_unreachable"
    assert "http://127.0.0.1:9" in refusal["message"]
    assert "--api-url" in refusal["message"]


def test_a_server_that_dies_in_the_middle_of_a_wait_is_survived(
    assistant: Assistant, project: Project, served: HttpServer
) -> None:
    # Given a wait
    project.worker()

    async def work(client: Client) -> Any:
        run = (await client.call_tool("trigger_task", {"task": "plain"})).structured_content["run"]
        stopped = asyncio.Event()

        async def on_progress(*_: Any) -> None:
            if not stopped.is_set():
                stopped.set()
                await asyncio.to_thread(served.stop)

        # When the server goes away
        wait = {"runs": [run], "timeout": 1}
        result = await client.call_tool("wait_for_run_to_complete", wait, progress_callback=on_progress)
        after = await client.call_tool("list_runs", {})
        return result, after

    result, after = assistant.run(work)

    # Then the call ends with what was known, or says so, and the next one says that the server is away
    assert result.is_error or result.structured_content["runs"][0]["status"] == "QUEUED"
    assert after.is_error
    assert after.structured_content["error"]["code"] == "server_unreachable"


def test_two_clients_at_once_do_not_see_each_other(served: HttpServer, assistant: Assistant, project: Project) -> None:
    # Given two clients of which one is in another environment
    project.worker()
    other = assistant.but(environment="staging")

    async def work() -> tuple[Any, Any]:
        async with assistant.connected() as one, other.connected() as two:
            made = await asyncio.gather(
                *(one.call_tool("trigger_task", {"task": "plain", "payload": n}) for n in range(5)),
                *(two.call_tool("trigger_task", {"task": "plain", "payload": n}) for n in range(3)),
            )
            assert not any(each.is_error for each in made)
            return await one.call_tool("list_runs", {}), await two.call_tool("list_runs", {})

    # Then each sees what is its own
    first, second = asyncio.run(work())
    assert (len(first.structured_content["runs"]), len(second.structured_content["runs"])) == (5, 3)


def test_the_profile_that_one_is_logged_in_to_is_used(
    served: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a profile with its key, and one whose key is wrong
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    for name in ("DETENT_API_URL", "DETENT_SECRET_KEY", "DETENT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    for name, key in (("wrong", "dt_pat_wrong"), ("work", KEY)):
        with change_profiles() as profiles:
            profile = Profile(name, served.url, "default", "staging")
            profiles.put(profile)
        keep_key(profile, key)

    async def look(name: str) -> Any:
        monkeypatch.setenv("DETENT_PROFILE", name)
        assistant = Assistant(served.url)
        connection = Connection(assistant.settings, remote)
        entry = Entry(connection, assistant.settings)
        async with Client(make_server(assistant.settings, lambda _context: entry)) as client:
            result = await client.call_tool("list_runs", {})
        await connection.close()
        return result

    # Then its project and environment are used, and a key that is no good is told with the log-in
    assert asyncio.run(look("work")).structured_content["environment"] == "staging"
    assert f"detent login --url {served.url} --profile wrong" in str(asyncio.run(look("wrong")).structured_content)


def test_an_environment_that_is_not_there_is_told_with_near_names(assistant: Assistant) -> None:
    # When a call names one with a typo
    refusal = assistant.refused("list_runs", {"env": "prd"})

    # Then the one that is meant is told
    assert "'prod'" in refusal["message"]
    assert "env" in refusal["next"]


def test_dev_only_keeps_a_key_of_another_environment_out(assistant: Assistant, project: Project) -> None:
    # Given a key of staging
    key = project.operations.call("keys.create", name="s", environment="staging")["secret"]
    dev = replace(assistant.but(dev_only=True), key=key)

    # Then it is of no use, and no call can name another environment
    assert dev.call("list_runs").is_error
    assert "no argument 'env'" in assistant.but(dev_only=True).refused("list_runs", {"env": "prod"})["message"]
    assert assistant.but(dev_only=True).ask("list_runs")["environment"] == "dev"


def test_without_a_server_nothing_is_started_where_it_must_not_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a project without a server
    (tmp_path / "detent.toml").write_text('project = "quiet"\n')
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(tmp_path))
    for name in ("DETENT_API_URL", "DETENT_SECRET_KEY"):
        monkeypatch.delenv(name, raising=False)

    async def work(client: Client) -> Any:
        return await ask(client, "list_runs")

    # When it may not be started, then the command is told
    for settings in ({"readonly": True}, {"start": False}):
        refusal = within(work, **settings)
        assert refusal["next"] == f"start it: cd {tmp_path} && detent dev"
    assert not (tmp_path / ".detent" / "server.json").exists()


def test_calls_are_noted_in_a_file_without_secrets(assistant: Assistant, tmp_path: Path) -> None:
    # Given a log file
    file = tmp_path / "logs" / "mcp.jsonl"
    noting = assistant.but(log_file=file)

    # When calls are made
    noting.ask("trigger_task", {"task": "plain", "payload": {"password": "hunter2hunter2"}})
    noting.refused("list_runs", {"stats": 1})

    # Then each is a line
    first, second = (json.loads(line) for line in file.read_text().splitlines())
    assert (first["tool"], first["outcome"], second["outcome"]) == ("trigger_task", "ok", "invalid_arguments")
    assert "hunter2" not in file.read_text()
    assert first["ms"] > 0
