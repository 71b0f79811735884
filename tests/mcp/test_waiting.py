from __future__ import annotations

import asyncio
from typing import Any

from tests.mcp.conftest import Assistant
from tests.server.project import Project

from mcp import Client


def test_runs_that_end_meanwhile_are_told_with_output_and_error(nearby: Assistant, project: Project) -> None:
    # Given two runs that execute
    worker = project.worker()

    async def work(client: Client) -> Any:
        ids = [(await client.call_tool("trigger_task", {"task": "plain"})).structured_content["run"] for _ in range(2)]
        grants = worker.claim()
        told: list[str | None] = []

        async def on_progress(_done: float, _total: float | None, message: str | None) -> None:
            told.append(message)
            if len(told) == 1:
                worker.finish(grants[0], output='{"n":0}')
                error = '{"type": "ValueError", "message": "bad sk-abcdefghijklmnopqrstuvwxyz123456"}'
                worker.finish(grants[1], "FAILED", error=error)

        # When they are waited for, and end meanwhile
        result = await client.call_tool(
            "wait_for_run_to_complete", {"runs": ids, "timeout": 10}, progress_callback=on_progress
        )
        return grants, told, result.structured_content

    grants, told, result = nearby.run(work)

    # Then each is told with what came of it, marked as data
    by_id = {run["id"]: run for run in result["runs"]}
    assert result["ended"] == "2 of 2"
    assert by_id[grants[0].run_id]["output"] == {"n": 0}
    assert "ValueError: bad" in by_id[grants[1].run_id]["error"]
    assert "sk-abcdefgh" not in str(result)
    assert "output, error" in result["untrusted"]
    assert f'diagnose_run(run="{grants[1].run_id}")' in result["next"]
    assert told[0] is not None


def test_a_wait_ends_early_with_the_state_and_the_next_call(assistant: Assistant, project: Project) -> None:
    # Given a run that does not end
    project.worker()
    made = assistant.ask("trigger_task", {"task": "plain"})

    # When it is waited for
    result = assistant.ask("wait_for_run_to_complete", {"runs": made["run"], "timeout": 1})

    # Then its state is told, and how to go on
    assert result["ended"] == "0 of 1"
    assert result["runs"][0]["status"] == "QUEUED"
    assert f'wait_for_run_to_complete(runs=["{made["run"]}"])' in result["next"]


def test_a_wait_that_is_cancelled_lets_the_server_go(assistant: Assistant, project: Project) -> None:
    # Given a wait
    project.worker()

    async def work(client: Client) -> Any:
        run = (await client.call_tool("trigger_task", {"task": "plain"})).structured_content["run"]
        began = asyncio.Event()

        async def on_progress(*_: Any) -> None:
            began.set()

        wait = asyncio.ensure_future(
            client.call_tool("wait_for_run_to_complete", {"runs": [run]}, progress_callback=on_progress)
        )
        await began.wait()

        # When its client gives it up
        wait.cancel()
        await asyncio.gather(wait, return_exceptions=True)

        # Then the server answers other calls at once
        return (await client.call_tool("list_runs", {})).structured_content

    assert len(assistant.run(work)["runs"]) == 1


def test_a_run_of_another_environment_is_told_with_where_it_was_looked_for(
    assistant: Assistant, project: Project
) -> None:
    # Given a run in staging
    made = assistant.ask("trigger_task", {"task": "plain", "env": "staging"})

    # When it is asked for in dev
    refusal = assistant.refused("wait_for_run_to_complete", {"runs": [made["run"]]})

    # Then the environment is named
    assert "dev" in refusal["message"]
    assert "list_runs" in refusal["next"]
