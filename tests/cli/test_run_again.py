"""`detent runs replay`, `fork`, `resume` and `journal`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Any

from tests.cli.conftest import Project


def change(project: Project, sql: str, *values: Any) -> None:
    with closing(sqlite3.connect(project.root / ".detent" / "detent.db")) as connection, connection:
        connection.execute(sql, values)


def put_step(project: Project, run: str, seq: int, key: str, value: str) -> None:
    change(
        project,
        "INSERT INTO journal (run_id, key, kind, target, attempt, seq, value, at)"
        " VALUES (?, ?, 'step', 'f', 1, ?, ?, 1)",
        run,
        key,
        seq,
        value,
    )


def test_a_run_is_replayed_as_it_was_and_with_changes(project: Project) -> None:
    first = project.trigger("greet", {"name": "Ada"}, "--tag", "a")
    same = project.json("runs", "get", project.detent("runs", "replay", first[:20]).stdout.strip())
    assert (same["payload"], same["tags"], same["replay_of"]) == ({"name": "Ada"}, ["a"], first)
    (project.root / "other.json").write_text('{"name": "Bob"}')
    made = project.json("runs", "replay", first, "--payload", "@other.json", "--tag", "b", "--delay", "1h")
    other = project.json("runs", "get", made["id"])
    assert (other["payload"], other["tags"]) == ({"name": "Bob"}, ["b"])
    assert other["delay_until"] is not None
    assert f"replay of  {first}" in project.detent("runs", "get", made["id"]).stdout.replace("     ", "  ")


def test_a_replay_is_waited_for(served: Project) -> None:
    assert served.trigger("greet", {"name": "Ada"}, "--wait") == "Hello, Ada!"
    done = served.detent("runs", "replay", "latest", "--payload", '{"name": "Bob"}', "--wait")
    assert done.returncode == 0
    assert "Hello, Bob!" in done.stdout
    refused = served.detent("runs", "replay", "latest", "--payload", '{"name": 3}')
    assert refused.returncode == 1
    assert "payload.name" in refused.stderr


def test_a_journal_is_shown_and_a_run_is_forked_at_one_of_its_entries(project: Project) -> None:
    first = project.trigger("greet", {"name": "Ada"})
    assert "Its journal is empty" in project.detent("runs", "journal", first).stderr
    put_step(project, first, 1, "fetch#1", '"fetched"')
    put_step(project, first, 2, "charge#1", '"charged"')
    shown = project.detent("runs", "journal", first)
    assert [line.split()[1] for line in shown.stdout.splitlines()] == ["KEY", "fetch#1", "charge#1"]
    assert "fetched" in shown.stdout
    page = project.json("runs", "journal", first, "--limit", "1")
    assert [entry["key"] for entry in page["items"]] == ["fetch#1"]
    assert "--after 1" in project.detent("runs", "journal", first, "--limit", "1").stderr

    made = project.json("runs", "fork", first, "--at", "charge#1")
    assert [entry["key"] for entry in project.json("runs", "journal", made["id"])["items"]] == ["fetch#1"]
    assert f"{first}, before charge#1" in project.detent("runs", "get", made["id"]).stdout
    refused = project.detent("runs", "fork", first, "--at", "chrge#1")
    assert refused.returncode == 1
    assert "did you mean 'charge#1'" in refused.stderr


def test_a_paused_run_shows_what_can_be_done_and_is_resumed(project: Project) -> None:
    run = project.trigger("greet", {"name": "Ada"})
    refused = project.detent("runs", "resume", run)
    assert refused.returncode == 1
    assert "not paused but QUEUED" in refused.stderr
    paused = '{"key": "charge#1", "expected": "step f", "received": "wait", "message": "it went another way"}'
    change(project, "UPDATE runs SET state = 'WAITING', paused = ?", paused)
    shown = project.detent("runs", "get", run).stdout
    for part in (
        "Paused: it went another way",
        "expected  step f",
        "received  wait",
        f"detent runs resume {run}",
        f"detent runs fork {run} --at 'charge#1'",
        f"detent runs cancel {run}",
    ):
        assert part in shown
    assert project.json("runs", "resume", run) == {"id": run, "status": "QUEUED"}
    assert project.detent("runs", "cancel", run).returncode == 0


def test_a_timeout_without_wait_is_misuse(project: Project) -> None:
    run = project.trigger("greet", {"name": "Ada"})
    for command in ("replay", "fork"):
        assert project.detent("runs", command, run, "--timeout", "1s").returncode == 2
