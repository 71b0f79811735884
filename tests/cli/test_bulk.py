from __future__ import annotations

import json

from tests.cli.conftest import Project
from tests.cli.near import Near

from detent.model.ids import new_id


def test_many_runs_are_replayed_and_shown(near: Near) -> None:
    # Given runs that failed
    runs = [new_id("run") for _ in range(3)]
    for run in runs:
        near.fail(run, "no luck")
    which = ("--task", "near-fail", "--status", "failed", "--error", "luck")
    # When they are asked for without a terminal, nothing happens before --yes
    refused = near.detent("runs", "bulk", "replay", *which)
    assert (refused.status, "--yes" in refused.err) == (2, True)
    told = near.detent("runs", "bulk", "replay", *which, "--dry-run")
    assert told.out.startswith("replay  DRY_RUN")
    assert ["runs", "3"] in [line.split() for line in told.out.splitlines()]
    done = near.detent("runs", "bulk", "replay", *which, "--yes", "--json")
    # Then each line tells how far it is
    assert done.status == 0, done.err
    lines = [json.loads(line) for line in done.out.splitlines()]
    assert (lines[0]["total"], lines[-1]["status"], lines[-1]["succeeded"]) == (0, "COMPLETED", 3)
    action = lines[-1]["id"]
    assert "3 of 3" in near.detent("runs", "bulk", "show", action).out
    assert action in near.detent("runs", "bulk", "list").out
    late = near.detent("runs", "bulk", "abort", action)
    assert (late.status, "already" in late.err) == (1, True)


def test_a_bulk_cancel_names_what_it_could_not_handle(near: Near) -> None:
    run = new_id("run")
    near.fail(run, "no luck")
    done = near.detent("runs", "bulk", "cancel", run, "--yes", "--reason", "a mistake")
    assert done.status == 0
    assert f"{run} skipped" in done.out


def test_without_a_server_a_bulk_action_waits_for_one(project: Project) -> None:
    run = project.trigger("greet", {"name": "Ada"})
    made = project.detent("runs", "bulk", "cancel", run, "--yes")
    assert "PENDING" in made.stdout
    assert "detent dev" in made.stderr
