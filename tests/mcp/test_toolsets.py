"""The toolsets that are asked for by a flag."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.mcp.conftest import Assistant
from tests.server.project import Project

from detent.engine.loops import Digest
from detent_mcp.catalogue import chosen
from detent_mcp.settings import TOOLSETS, Settings


@pytest.fixture
def operator(assistant: Assistant) -> Assistant:
    """An assistant with every tool."""
    return assistant.but(toolsets=TOOLSETS)


def test_many_runs_are_counted_then_cancelled(operator: Assistant, project: Project) -> None:
    # Given three runs
    project.worker()
    for n in range(3):
        operator.ask("trigger_task", {"task": "plain", "payload": n})

    # When they are counted and cancelled by filter
    counted = operator.ask("bulk_runs", {"action": "cancel", "task": "plain", "dry_run": True})
    begun = operator.ask("bulk_runs", {"action": "cancel", "task": ["plain"], "reason": "not needed"})

    # Then the first does nothing, and the second is told of
    assert (counted["expected"], counted["status"]) == (3, "DRY_RUN")
    assert len(counted["examples"]) == 3
    assert begun["environment"] == "dev"
    assert operator.ask("list_bulk_actions", {"id": begun["id"]})["action"] == "cancel"
    assert begun["id"] in str(operator.ask("list_bulk_actions"))
    assert "at least one filter" in operator.refused("bulk_runs", {"action": "cancel"})["message"]


def test_an_idempotency_key_is_let_go(operator: Assistant, project: Project) -> None:
    # Given a run with a key
    project.worker()
    call = {"task": "plain", "options": {"idempotency_key": "once"}}
    first = operator.ask("trigger_task", call)
    assert operator.ask("trigger_task", call)["run"] == first["run"]

    # When the key is let go
    operator.ask("reset_idempotency_key", {"task": "plain", "key": "once"})

    # Then there is another run
    assert operator.ask("trigger_task", call)["run"] != first["run"]


def test_variables_are_named_and_their_values_are_never_shown(operator: Assistant) -> None:
    # When a variable is set and listed
    operator.ask("set_env_var", {"name": "GREETING", "value": "hello-there-value", "secret": False})
    listed = operator.ask("list_env_vars")

    # Then its name is there, and its value is not
    assert [each["name"] for each in listed["variables"]] == ["GREETING"]
    assert "hello-there-value" not in str(listed)
    assert operator.ask("delete_env_var", {"name": "GREETING"})["deleted"] is True
    assert operator.refused("delete_env_var", {"name": "GREETING"})["code"] == "not_found"


def test_errors_are_listed_and_resolved(operator: Assistant, project: Project) -> None:
    # Given a failed run
    worker = project.worker()
    run = operator.ask("trigger_task", {"task": "plain"})["run"]
    worker.finish(worker.claim()[0], "FAILED", error='{"type": "ValueError", "message": "no such thing"}')
    digest = Digest(project.engine.write, project.engine.store, project.engine.clock)
    while digest.sweep():
        pass

    # When errors are listed, and one is resolved
    [error] = operator.ask("list_errors")["errors"]
    one = operator.ask("list_errors", {"id": error["id"]})
    done = operator.ask("control_error", {"id": error["id"], "action": "resolve"})

    # Then they are told with what is theirs
    assert (error["count"], error["error"]) == (1, "ValueError: no such thing")
    assert one["runs"] == [run]
    assert done["status"] == "RESOLVED"


def test_alerts_are_made_listed_and_deleted_and_the_secret_is_not_shown(operator: Assistant) -> None:
    # When an alert goes through its life
    made = operator.ask(
        "alerts", {"action": "create", "events": ["run.failed"], "webhook": "https://example.com/hook", "name": "ops"}
    )
    listed = operator.ask("alerts")
    operator.ask("alerts", {"action": "delete", "id": made["id"]})

    # Then it is there and gone, and its secret stays with the user
    assert [each["id"] for each in listed["alerts"]] == [made["id"]]
    assert "whsec_" not in str(made)
    assert operator.ask("alerts")["alerts"] == []
    assert operator.ask("alerts", {"action": "deliveries"})["deliveries"] == []


def test_who_asks_keys_people_and_environments_are_told(operator: Assistant, project: Project) -> None:
    # Given a key
    key = project.operations.call("keys.create", name="ci")

    # Then what there is is told, without a secret
    assert operator.ask("whoami")["environment"] == "dev"
    listed = operator.ask("list_keys")
    assert key["id"] in str(listed)
    assert key["secret"] not in str(listed)
    assert operator.ask("revoke_key", {"id": key["id"]})["revoked_at"]
    operator.ask("environments", {"action": "create", "branch": "feature"})
    names = [each["name"] for each in operator.ask("environments")["environments"]]
    assert names == ["dev", "staging", "prod", "preview/feature"]
    assert operator.ask("environments", {"action": "archive", "name": "preview/feature"})["done"] == "archive"
    assert operator.ask("list_people")["people"] == []
    assert operator.ask("create_project", {"slug": "second"})["created"] == "second"


def test_nothing_is_deployed_to_a_fresh_environment(operator: Assistant) -> None:
    # Then that is told, with where else to look; and what is not there cannot be promoted
    told = operator.ask("list_deploys", {"env": "staging"})
    assert (told["environment"], told["deploys"]) == ("staging", [])
    assert "nothing was deployed" in told["next"]
    refusal = operator.refused("promote_deploy", {"version": "20991231.1", "env": "staging"})
    assert "list_deploys" in refusal["next"]


def test_flags_choose_tools_by_name() -> None:
    # When tools are named and left out
    settings = replace(Settings(), tools=("query",), exclude_tools=("list_orgs",))

    # Then the core set is changed by them
    names = chosen(settings)
    assert "query" in names
    assert "list_orgs" not in names
    assert chosen(replace(settings, toolsets=("all",))).keys() >= {"bulk_runs", "whoami", "alerts"}
    assert not any(not tool.reads for tool in chosen(Settings(toolsets=("all",), readonly=True)).values())
