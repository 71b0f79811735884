"""Runs stopped and run again, queues, tokens, schedules: what an assistant changes."""

from __future__ import annotations

import pytest
from tests.mcp.conftest import Assistant
from tests.server.project import Project


@pytest.fixture
def run(assistant: Assistant, project: Project) -> str:
    project.worker()
    made: str = assistant.ask("trigger_task", {"task": "plain", "payload": {"n": 1}})["run"]
    return made


def test_a_run_is_cancelled_and_cancelled_again(assistant: Assistant, run: str) -> None:
    # When a run is stopped twice
    first = assistant.ask("cancel_run", {"run": run, "reason": "not needed"})
    again = assistant.ask("cancel_run", {"run": run})

    # Then it is stopped, and the result says where
    assert (first["status"], first["environment"], first["project"]) == ("CANCELED", "dev", "default")
    assert again["status"] == "CANCELED"


def test_a_run_is_replayed_with_another_payload(assistant: Assistant, project: Project, run: str) -> None:
    # When a run is run again
    same = assistant.ask("replay_run", {"run": run})
    other = assistant.ask("replay_run", {"run": run, "payload": {"n": 2}, "options": {"tags": ["again"]}})

    # Then there are new runs
    assert same["replay_of"] == run
    assert project.operations.call("runs.retrieve", id=same["run"])["payload"] == {"n": 1}
    retrieved = project.operations.call("runs.retrieve", id=other["run"])
    assert (retrieved["payload"], retrieved["tags"]) == ({"n": 2}, ["again"])
    refusal = assistant.refused("replay_run", {"run": run, "at": "x", "payload": 1})
    assert "at keeps payload" in refusal["message"]


def test_a_queue_is_paused_limited_and_reset(assistant: Assistant, project: Project, run: str) -> None:
    # When a queue is controlled
    paused = assistant.ask("control_queue", {"queue": "typed", "action": "pause"})
    limited = assistant.ask("control_queue", {"queue": "typed", "action": "limit", "limit": 7, "ttl": "1h"})
    listed = assistant.ask("list_queues")

    # Then it is so, and what undoes it is told
    assert paused["paused"] is True
    assert "resume" in paused["undo"]
    assert (limited["limit"], limited["declared_limit"]) == (7, 1)
    rows = {queue["queue"]: queue for queue in listed["queues"]}
    assert rows["typed"]["paused"] is True
    assert listed["queues"][0]["queued"] == 1
    assert "limit" in assistant.ask("control_queue", {"queue": "typed", "action": "reset"})
    assert assistant.ask("control_queue", {"queue": "typed", "action": "resume"})["queue"] == "typed"
    assert "needs limit" in assistant.refused("control_queue", {"queue": "typed", "action": "limit"})["message"]
    assert "'typed'" in assistant.refused("control_queue", {"queue": "typd", "action": "pause"})["message"]


def test_a_token_is_found_and_completed(assistant: Assistant, project: Project) -> None:
    # Given a token
    token = project.operations.call("tokens.create", tags=["approval"])["id"]

    # When it is looked for and completed
    listed = assistant.ask("list_waitpoints", {"tag": "approval"})
    done = assistant.ask("complete_waitpoint", {"token": token, "output": {"ok": True}})

    # Then it is, and nobody is shown the address that completes it
    assert [each["token"] for each in listed["waitpoints"]] == [token]
    assert "callback" not in str(listed)
    assert done["status"] == "COMPLETED"
    assert project.operations.call("tokens.retrieve", id=token)["output"] == {"ok": True}
    assert assistant.ask("list_waitpoints")["waitpoints"] == []
    assert assistant.refused("complete_waitpoint", {"token": token, "output": 2})["code"] == "conflict"


def test_a_schedule_is_previewed_created_changed_paused_and_deleted(assistant: Assistant, run: str) -> None:
    # When a schedule goes through its life
    times = assistant.ask("schedules", {"action": "preview", "cron": "0 9 * * 1", "timezone": "Europe/Paris"})
    made = assistant.ask("schedules", {"action": "create", "task": "plain", "cron": "0 9 * * *", "key": "daily"})
    same = assistant.ask("schedules", {"action": "create", "task": "plain", "cron": "0 8 * * *", "key": "daily"})
    changed = assistant.ask("schedules", {"action": "change", "id": made["id"], "cron": "0 7 * * *"})
    paused = assistant.ask("schedules", {"action": "pause", "id": made["id"]})
    listed = assistant.ask("schedules")
    shown = assistant.ask("schedules", {"action": "show", "id": made["id"]})
    assistant.ask("schedules", {"action": "delete", "id": made["id"]})

    # Then each step holds
    assert len(times["upcoming"]) == 10
    assert same["id"] == made["id"]
    assert changed["cron"] == "0 7 * * *"
    assert paused["active"] is False
    assert [each["id"] for each in listed["schedules"]] == [made["id"]]
    assert shown["key"] == "daily"
    assert assistant.ask("schedules")["schedules"] == []
    assert "task and cron and key" in assistant.refused("schedules", {"action": "create"})["message"]
    assert "5" in assistant.refused("schedules", {"action": "preview", "cron": "x"})["message"]


def test_readers_look_at_schedules_and_cannot_change_them(assistant: Assistant) -> None:
    # When the server only reads
    reader = assistant.but(readonly=True)

    # Then schedules can be listed, and nothing else is offered
    assert reader.ask("schedules")["schedules"] == []
    assert "one of list, show, preview" in reader.refused("schedules", {"action": "delete", "id": "x"})["message"]
    assert "--readonly" in reader.refused("cancel_run", {"run": "x"})["message"]


def test_projects_and_organisations_are_listed(assistant: Assistant) -> None:
    # Then the current one is told with all of them
    told = assistant.ask("list_projects")
    assert told["current"] == {"project": "default", "environment": "dev"}
    assert [each["slug"] for each in told["projects"]] == ["default"]
    assert len(assistant.ask("list_orgs")["orgs"]) == 1
