from __future__ import annotations

import asyncio
from typing import Any

import pytest
from tests.mcp.conftest import Assistant
from tests.server.project import Project

from detent_mcp.repeats import forget
from mcp import Client


def test_a_dry_run_says_where_the_run_would_go_and_makes_none(assistant: Assistant, project: Project) -> None:
    # Given a worker
    project.worker()

    # When a trigger is only checked
    told = assistant.ask("trigger_task", {"task": "typed", "payload": {"title": "x"}, "dry_run": True})

    # Then it is told where it would go
    assert told["dry_run"] is True
    assert (told["status"], told["served"], told["payload_checked"]) == ("QUEUED", True, True)
    assert (told["queue"]["name"], told["queue"]["limit"]) == ("typed", 1)
    assert assistant.ask("list_runs")["runs"] == []


@pytest.mark.parametrize("dry_run", [True, False])
def test_a_payload_that_does_not_fit_and_a_task_that_is_not_there_are_refused(
    assistant: Assistant, project: Project, dry_run: bool
) -> None:
    # Given a worker
    project.worker()

    # When payload or task are wrong
    wrong = assistant.refused("trigger_task", {"task": "typed", "payload": {"title": 3}, "dry_run": dry_run})
    missing = assistant.refused("trigger_task", {"task": "typd", "payload": {}, "dry_run": dry_run})

    # Then the field, or the near name, is told, and the next call
    assert "title" in wrong["message"]
    assert "get_current_worker" in wrong["next"]
    assert "'typed'" in missing["message"]
    assert "get_current_worker" in missing["next"]


def test_a_task_that_no_connected_worker_runs_is_triggered_with_a_word_about_it(
    assistant: Assistant, project: Project, asked: list[str]
) -> None:
    # Given nobody who works; When a task is triggered, and again when somebody does
    assistant.ask("list_runs")
    before = len(asked)
    alone = assistant.ask("trigger_task", {"task": "plain"})
    requests = asked[before:]
    project.worker()
    served = assistant.ask("trigger_task", {"task": "plain"})

    # Then the first result tells how it comes to run, by the one request that made the run
    assert "none that is connected runs it" in alone["worker"]
    assert [request for request in requests if request.endswith("/trigger")] == requests[-1:]
    assert "worker" not in served


def test_a_payload_as_text_of_json_is_read(assistant: Assistant, project: Project) -> None:
    # When a model writes the payload as text
    made = assistant.ask("trigger_task", {"task": "plain", "payload": '{"a": 1}'})

    # Then the run has the object
    assert project.operations.call("runs.retrieve", id=made["run"])["payload"] == {"a": 1}
    assert "notes" in made


def test_a_call_that_was_given_up_and_repeated_makes_one_run(
    assistant: Assistant, project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server whose answer does not come in time
    made: list[str] = []
    trigger = project.operations.trigger
    hold = asyncio.Event()

    async def work(client: Client) -> list[Any]:
        loop = asyncio.get_running_loop()

        def slow(runs: Any, batch_id: Any = None) -> Any:
            handles = trigger(runs, batch_id)
            made.append(handles[0].id)
            if len(made) == 1:
                loop.call_soon_threadsafe(call.cancel)
                asyncio.run_coroutine_threadsafe(hold.wait(), loop).result(30)
            return handles

        monkeypatch.setattr(project.operations, "trigger", slow)
        call = asyncio.ensure_future(client.call_tool("trigger_task", {"task": "plain", "payload": 1}))
        with pytest.raises(asyncio.CancelledError):
            await call
        hold.set()

        # When the client calls again, and then once more
        again = await client.call_tool("trigger_task", {"task": "plain", "payload": 1})
        another = await client.call_tool("trigger_task", {"task": "plain", "payload": 1})
        return [again.structured_content, another.structured_content]

    forget()
    again, another = assistant.run(work)

    # Then the repetition finds the run of the first call, and the third call makes a second one
    assert again["run"] == made[0]
    assert "same call before" in again["notes"][0]
    assert another["run"] != made[0]
    assert len(assistant.ask("list_runs")["runs"]) == 2


def test_two_calls_with_the_same_arguments_are_two_runs(assistant: Assistant) -> None:
    # When the same task is triggered twice at once, and once more
    async def work(client: Client) -> set[str]:
        calls = [client.call_tool("trigger_task", {"task": "plain", "payload": 2}) for _ in range(2)]
        done = [*await asyncio.gather(*calls), await client.call_tool("trigger_task", {"task": "plain", "payload": 2})]
        return {each.structured_content["run"] for each in done}

    # Then there are three runs
    assert len(assistant.run(work)) == 3
