"""The next calls that results name can be made as they stand."""

from __future__ import annotations

import re
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.mcp.conftest import Assistant
from tests.server.project import Project

from detent.engine import next_steps
from detent_mcp.catalogue import all_tools, chosen
from detent_mcp.connection import Connection
from detent_mcp.next_calls import next_call, start_step, steps_of
from detent_mcp.prompts import PROMPTS
from detent_mcp.settings import TOOLSETS, Settings
from detent_mcp.tools.diagnosis import _blocker

ROW = {"id": "run_1", "task": "shop", "queue": "bank", "has_journal": True}
BLOCKER = {"kind": "token", "id": "waitpoint_1", "name": "gpu", "key": "step:a", "held_by": [{"id": "run_2"}]}
VERDICTS = sorted(next_steps._STEPS)
CALL = re.compile(r"^(\w+)\((.*?)\): ")


def calling(**values: Any) -> Any:
    named = values.pop("named", None)
    settings = Settings(**values)
    where = SimpleNamespace(environment=values.get("environment") or "dev")
    return SimpleNamespace(
        named=named, settings=settings, connecting=Connection(settings), may=lambda _scope: True, where=where
    )


@pytest.mark.parametrize("verdict", VERDICTS)
def test_what_a_diagnosis_advises_names_tools_and_arguments_that_are_there(verdict: str) -> None:
    call = calling(toolsets=TOOLSETS)
    tools = chosen(call.settings)
    blockers = [BLOCKER, BLOCKER | {"kind": "run", "id": "run_3"}, BLOCKER | {"kind": "input"}]
    steps = [*next_steps.next_steps(ROW, verdict, blockers), next_steps.error_step("abc")]
    found = {"id": "run_1", "task": "shop", "next": steps}
    for told in steps_of(call, found):
        made = CALL.match(told)
        if made is None:
            assert told.startswith("detent ")
            continue
        names = {each.name for each in tools[made[1]].arguments(dev_only=False)}
        assert set(re.findall(r"(?:^|, )(\w+)=", made[2])) <= names


def test_who_only_reads_is_told_commands_for_what_writes() -> None:
    found = {"id": "run_1", "task": "shop", "next": next_steps.next_steps(ROW, "failed", [])}
    steps = steps_of(calling(readonly=True), found)
    assert steps[0].startswith("detent runs replay run_1: ")
    assert steps[-1].startswith('search_logs(run="run_1"): ')


def test_a_call_that_names_an_environment_leads_to_calls_that_do() -> None:
    assert next_call(calling(named="staging"), "get_report", period="1h") == 'get_report(period="1h", env="staging")'


def test_prompts_name_tools_that_are_there() -> None:
    tools = {tool.name for tool in all_tools()}
    for made in PROMPTS.values():
        named = set(re.findall(r"\b([a-z]+(?:_[a-z]+)+)\b", made.write()))
        assert {name for name in named if name in tools}
        assert named - tools <= {"max_duration", "trigger_and_wait"}


def test_who_reads_is_led_to_no_tool_that_is_not_there(assistant: Assistant, project: Project) -> None:
    # Given a run that waits for a token, in the hands of one who only reads
    project.worker()
    project.operations.call("tokens.create", tags=["legal"])
    reader = replace(assistant, settings=replace(assistant.settings, readonly=True))
    tools = {tool.name for tool in all_tools()}
    shown = chosen(reader.settings).keys()

    # When results say what comes next
    calls = (("get_current_worker", {"task": "plain"}), ("list_runs", {}), ("list_waitpoints", {}))
    told = [str(reader.ask(tool, arguments).get("next")) for tool, arguments in calls]

    # Then that can be called
    named = set(re.findall(r"\b([a-z]+(?:_[a-z]+)+)\b", " ".join(told)))
    assert named & tools <= shown, told


def test_a_token_that_a_run_waits_for_is_completed_by_the_tool_and_its_callback_is_not_told() -> None:
    steps = next_steps.next_steps(ROW, "waiting_for_token", [BLOCKER])
    found = {"id": "run_1", "task": "shop", "next": steps}
    assert steps_of(calling(), found)[0].startswith('complete_waitpoint(token="waitpoint_1", output=null): ')
    blocker = {"kind": "token", "id": "waitpoint_1", "callback": "http://127.0.0.1/secret"}
    assert "callback" not in _blocker(blocker)


def test_in_prod_no_dev_server_is_advised() -> None:
    found = {"id": "run_1", "task": "shop", "next": next_steps.next_steps(ROW, "no_worker", [])}
    assert "dev_server" not in str(steps_of(calling(environment="prod"), found))
    assert start_step(calling(environment="prod")) == "deploy to prod, or `detent worker` for prod"
    assert start_step(calling()) == 'dev_server(action="start")'
