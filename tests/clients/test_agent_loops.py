"""Whole loops: a real assistant, a scripted model, a real project. Trigger, wait, diagnose, mend, replay."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.clients.assistants import ASSISTANTS, Assistant, Seat
from tests.clients.results import Results
from tests.clients.script import Called, Said, whole_json
from tests.clients.scripted_model import ScriptedModel
from tests.faults.project import Project, wait_for

from detent_mcp.catalogue import chosen
from detent_mcp.settings import Settings

pytestmark = pytest.mark.clients

TASKS = """
from __future__ import annotations

from pathlib import Path

from detent import Retry, task

RATES = Path(__file__).parent.parent / "rates.txt"


@task(id="invoice-abroad", retry=Retry(max_attempts=1))
async def invoice_abroad(country: str) -> str:
    if not RATES.exists():
        raise LookupError(f"no rate for {country}")
    return f"invoiced to {country}"
"""


class Operator:
    """The part of the model: it runs a task that fails, finds out why, mends it and runs it again."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def __call__(self, results: list[str]) -> Called | Said:
        told = [whole_json(result) for result in results]
        match len(told):
            case 0:
                return Called("trigger_task", {"task": "invoice-abroad", "payload": "Norway"})
            case 1:
                return Called("wait_for_run_to_complete", {"runs": [told[0]["run"]]})
            case 2:
                return Called("diagnose_run", {"run": told[0]["run"]})
            case 3:
                (self._root / "rates.txt").write_text("Norway 25")
                return Called("replay_run", {"run": told[0]["run"]})
            case 4:
                return Called("wait_for_run_to_complete", {"runs": [told[3]["run"]]})
        return Said("Norway is invoiced.")


def followed(told: list[Any]) -> None:
    """What each call said."""
    triggered, failed, diagnosis, replayed, ended = told
    assert triggered["environment"] == "dev"
    [row] = failed["runs"]
    assert (row["id"], row["status"]) == (triggered["run"], "FAILED")
    assert "no rate for Norway" in row["error"]
    said = str(diagnosis)
    assert "LookupError" in said and "no rate for Norway" in said
    assert "work.py" in said and "raise LookupError" in said
    assert replayed["run"] != triggered["run"]
    [row] = ended["runs"]
    assert (row["id"], row["status"]) == (replayed["run"], "COMPLETED")
    assert "invoiced to Norway" in str(row["output"])


def test_an_assistant_triggers_waits_diagnoses_and_replays(
    assistant: Assistant, tmp_path: Path, home: Path, results: Results
) -> None:
    """Given a project that is served, when a model works through an assistant, then it gets what it needs at each step,
    and the runs are as it was told."""
    if not assistant.ask:
        results.skip(f"{assistant.name}: whole loop", assistant.asks_not)
        pytest.skip(assistant.asks_not)
    with Project(tmp_path / "p", TASKS) as project:
        project.dev()
        with ScriptedModel(Operator(project.root)) as model:
            done = assistant.work(Seat(home, project.root, model.url), "Invoice Norway")
            said = f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}\n{model.strange}"
            assert done.returncode == 0, said
            told = [whole_json(result) for result in model.last.results]
        assert len(told) == 5, said
        followed(told)
        assert "Norway is invoiced." in done.stdout
        runs = {run.id: run.status for run in project.client().runs.list()}
        assert runs == {told[0]["run"]: "FAILED", told[3]["run"]: "COMPLETED"}
    results.see(assistant.name, "whole loop", f"trigger → wait → diagnose → replay → wait; {what_is_shown(model)}")


def what_is_shown(model: ScriptedModel) -> str:
    """What the model was shown of detent; nothing of it may be cut or refused by a model's API."""
    ours = chosen(Settings())
    shown = {name: found for heard in model.heard for name in ours if (found := heard.named(name)) is not None}
    for name, tool in shown.items():
        assert tool.description.startswith(ours[name].description), (name, tool.description)
        assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", f"{tool.group or ''}{tool.name}"), tool.name
        assert set(ours[name].schema(dev_only=False)["properties"]) <= set(tool.schema["properties"]), (
            name,
            tool.schema,
        )
    told = (
        "instructions shown" if any("runs Python tasks" in heard.told for heard in model.heard) else "no instructions"
    )
    if len(shown) < len(ours):
        return f"the model looks each tool up before it calls it; {told}"
    size = sum(len(json.dumps([tool.name, tool.description, tool.schema])) for tool in shown.values())
    example = shown["trigger_task"]
    name = f"{example.group}.{example.name}" if example.group else example.name
    return f"all {len(shown)} tools shown from the start ({size:,} bytes), as `{name}`; {told}"


def test_an_assistant_needs_no_server_that_runs(
    had: Callable[[str], Path], tmp_path: Path, home: Path, results: Results
) -> None:
    """Given a project that nobody serves, when a model triggers a task, then the dev server is started and ends with
    the assistant."""
    had("codex")
    with Project(tmp_path / "p", TASKS) as project:
        with ScriptedModel(Operator(project.root)) as model:
            done = ASSISTANTS["codex"].work(Seat(home, project.root, model.url), "Invoice Norway")
        assert done.returncode == 0, done.stderr
        told = [whole_json(result) for result in model.last.results]
        followed(told)
        assert "dev" in str(told[0]["notes"])
        wait_for("the end of the dev server", lambda: not project.processes())
    results.see(
        "codex", "no server runs", "`detent dev` is started by the first call, and gone when the assistant ends"
    )
