from __future__ import annotations

import json

from tests.cli.conftest import Project


def test_many_runs_are_cancelled_replayed_and_shown(served: Project) -> None:
    # Given runs that failed
    for _ in range(3):
        served.detent("tasks", "trigger", "fail", "--payload", '"bulk"', "--tag", "bulk-cli", "--wait")
    # When they are asked for without a terminal, nothing happens before --yes
    refused = served.detent("runs", "bulk", "replay", "--tag", "bulk-cli")
    assert (refused.returncode, "--yes" in refused.stderr) == (2, True)
    told = served.detent("runs", "bulk", "replay", "--tag", "bulk-cli", "--error", "cannot", "--dry-run")
    assert told.stdout.startswith("replay  DRY_RUN")
    assert ["runs", "3"] in [line.split() for line in told.stdout.splitlines()]
    done = served.detent("runs", "bulk", "replay", "--tag", "bulk-cli", "--status", "failed", "--yes", "--json")
    # Then each line tells how far it is
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert (lines[0]["total"], lines[-1]["status"], lines[-1]["succeeded"]) == (0, "COMPLETED", 3)
    action = lines[-1]["id"]
    assert "3 of 3" in served.detent("runs", "bulk", "show", action).stdout
    assert action in served.detent("runs", "bulk", "list").stdout
    late = served.detent("runs", "bulk", "abort", action)
    assert (late.returncode, "already" in late.stderr) == (1, True)


def test_without_a_server_a_bulk_action_waits_for_one_and_can_be_aborted(project: Project) -> None:
    run = project.trigger("greet", {"name": "Ada"})
    made = project.detent("runs", "bulk", "cancel", run, "--yes")
    assert "PENDING" in made.stdout
    assert "detent dev" in made.stderr
    [action] = project.json("runs", "bulk", "list")["items"]
    assert project.json("runs", "bulk", "abort", action["id"])["status"] == "ABORTED"
