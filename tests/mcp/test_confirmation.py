"""What changes prod is agreed to by a person."""

from __future__ import annotations

from typing import Any

import pytest
from mcp_types import ElicitResult
from tests.mcp.conftest import Assistant
from tests.server.project import Project

PROD = {"task": "plain", "env": "prod"}


def answering(action: str, asked: list[str]) -> Any:
    async def answer(_context: Any, params: Any) -> ElicitResult:
        asked.append(params.message)
        return ElicitResult(action=action, content={"confirm": True} if action == "accept" else None)  # type: ignore[arg-type]

    return answer


def runs_in_prod(nearby: Assistant) -> int:
    return len(nearby.ask("list_runs", {"env": "prod"})["runs"])


@pytest.mark.parametrize(("action", "runs"), [("accept", 1), ("decline", 0), ("cancel", 0)])
def test_the_user_of_a_client_that_can_ask_is_asked(nearby: Assistant, action: str, runs: int) -> None:
    # Given a client that can put a question
    asked: list[str] = []

    # When something is to be changed in prod
    result = nearby.call("trigger_task", PROD, elicitation_callback=answering(action, asked))

    # Then its user is asked what, where and with which values, and the answer counts
    assert len(asked) == 1
    assert "Trigger task in prod of default" in asked[0]
    assert result.is_error == (runs == 0)
    assert runs_in_prod(nearby) == runs


def test_without_such_a_client_the_call_comes_again_with_confirm(nearby: Assistant, project: Project) -> None:
    # When a client cannot ask
    refused = nearby.refused("trigger_task", PROD)

    # Then nothing is done until the call says that a person agrees
    assert refused["code"] == "confirmation_needed"
    assert "confirm=true" in refused["next"]
    assert runs_in_prod(nearby) == 0
    made = nearby.ask("trigger_task", PROD | {"confirm": True})
    assert made["environment"] == "prod"


def test_what_changes_nothing_in_prod_and_what_changes_dev_needs_no_word(assistant: Assistant) -> None:
    # Then neither a check, nor a look, nor dev is asked about
    assert assistant.ask("trigger_task", PROD | {"dry_run": True})["environment"] == "prod"
    assert assistant.ask("list_runs", {"env": "prod"})["runs"] == []
    assert assistant.ask("trigger_task", {"task": "plain"})["environment"] == "dev"
