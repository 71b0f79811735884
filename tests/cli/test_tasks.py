from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

import pytest
from tests.cli.conftest import Project

BROKEN = 'import no_such_package\n\nfrom detent import task\n\n\n@task(id="lost")\ndef lost() -> None: ...\n'


def test_without_a_server_the_tasks_are_found_in_the_files(project: Project) -> None:
    # When the tasks of an idle project are listed
    found = project.json("tasks", "list")
    # Then they are those of its files, with their schemas
    tasks = {task["id"]: task for task in found["items"]}
    assert sorted(tasks) == ["fail", "greet", "greet-all", "wait-for-file"]
    assert tasks["greet"]["payload_schema"]["properties"]["name"]["type"] == "string"
    assert tasks["wait-for-file"]["queue"] == "one-by-one"
    assert found["problems"] == []


def test_what_task_files_print_does_not_get_into_the_answer(project: Project) -> None:
    done = project.detent("tasks", "list")
    assert "at import" not in done.stdout
    assert "printed at import" in done.stderr
    assert "written at import" in done.stderr


def test_a_file_that_fails_to_import_is_named_and_the_others_still_work(project: Project) -> None:
    # Given a file that needs a package which is not there
    (project.root / "tasks" / "broken.py").write_text(BROKEN)
    # When the tasks are listed
    done = project.detent("tasks", "list")
    # Then the problem has its line, on standard error
    assert done.returncode == 0
    assert "greet" in done.stdout
    problem = next(line for line in done.stderr.splitlines() if line.startswith("problem: "))
    assert "tasks/broken.py:1" in problem
    assert "no_such_package" in problem
    assert project.json("tasks", "list")["problems"][0]["line"] == 1


def test_a_task_is_shown_with_a_command_that_works_when_pasted(project: Project) -> None:
    # Given what is shown of a task
    shown = project.detent("tasks", "show", "greet").stdout
    assert "Politely." in shown
    assert "tasks/shop.py:" in shown
    assert '"name"' in shown
    # When its example is run
    example = shlex.split(shown.splitlines()[-1])
    assert (example[0], example[-1]) == ("detent", "--wait")
    done = project.detent(*example[1:-1])
    # Then it made a run
    assert done.returncode == 0, done.stderr
    assert project.json("runs", "get", done.stdout.strip())["task"] == "greet"


def test_a_debounced_trigger_finds_the_run_that_waits(project: Project) -> None:
    debounce = ["--debounce", '{"key": "k", "delay": "1h", "mode": "trailing"}']
    first = project.trigger("greet", {"name": "Ada"}, *debounce)
    again = project.detent("tasks", "trigger", "greet", "--payload", '{"name": "Bob"}', *debounce)
    assert again.stdout.strip() == first
    assert "under its idempotency key or debounce key" in again.stderr
    assert project.json("runs", "get", first)["payload"] == {"name": "Bob"}


@pytest.mark.parametrize("command", ["show", "trigger"])
def test_an_unknown_task_is_refused_with_near_names(project: Project, command: str) -> None:
    done = project.detent("tasks", command, "gret")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: no task named 'gret'; did you mean 'greet'")
    assert project.json("runs", "list")["items"] == []


def test_an_idle_project_takes_runs_and_says_that_nobody_runs_them(project: Project) -> None:
    # When a task is triggered while no worker is there
    done = project.detent("tasks", "trigger", "greet", "--payload", '{"name": "Ada"}')
    # Then the run is there, and it is said what is missing
    assert done.returncode == 0
    run = project.json("runs", "get", done.stdout.strip())
    assert (run["status"], run["payload"]) == ("QUEUED", {"name": "Ada"})
    assert "detent dev" in done.stderr


@pytest.mark.parametrize(
    ("source", "content"),
    [("@given.json", '\ufeff{"name": "Ada"}\n'), ("-", '{"name": "Ada"}'), ('{"name": "Ada"}', "")],
)
def test_a_payload_comes_from_the_line_a_file_or_standard_input(project: Project, source: str, content: str) -> None:
    (project.root / "given.json").write_text(content, encoding="utf-8")
    made = project.json("tasks", "trigger", "greet", "--payload", source, input=content)
    assert project.json("runs", "get", made["id"])["payload"] == {"name": "Ada"}


@pytest.mark.parametrize(
    ("payload", "shown"),
    [
        ("{name: 'Ada'}", "line 1, column 2, near \"name: 'Ada'}\"; put names and texts in double quotes"),
        ("Ada", "a text needs double quotes within single ones"),
        ('{"name":\n "Ada",}', "line 2, column 8"),
        ("", "it is empty"),
        ("[NaN]", "NaN is no number in JSON"),
        ("@nowhere.json", "nowhere.json cannot be read"),
    ],
)
def test_a_payload_that_is_no_json_is_refused_with_the_place(project: Project, payload: str, shown: str) -> None:
    done = project.detent("tasks", "trigger", "greet", f"--payload={payload}")
    assert done.returncode == 2
    assert shown in " ".join(done.stderr.split())


def test_bytes_that_are_no_text_are_refused_with_the_place(project: Project) -> None:
    done = project.detent("tasks", "trigger", "greet", "--payload", "-", input=b'{"name": "\xff"}')
    assert done.returncode == 2
    assert "byte 10 is 0xff" in done.stderr


def test_a_payload_that_does_not_fit_is_refused_with_its_field(project: Project) -> None:
    done = project.detent("tasks", "trigger", "greet", "--payload", '{"name": 3}')
    assert done.returncode == 1
    assert "field 'name': expected text, got 3" in done.stderr
    assert project.json("runs", "list")["items"] == []


def test_every_option_of_a_trigger_reaches_the_run(project: Project) -> None:
    # When a run is made with all that can be said
    options: dict[str, Any] = {
        "delay": "1h",
        "ttl": "2h",
        "concurrency-key": "tenant",
        "priority": "30",
        "metadata": '{"step": 1}',
        "max-attempts": "7",
        "max-duration": "5m",
    }
    line = [part for name, value in options.items() for part in (f"--{name}", value)]
    made = project.trigger("greet", {"name": "Ada"}, "--tag", "a", "--tag", "b", *line)
    # Then
    run = project.json("runs", "get", made)
    assert run["status"] == "DELAYED"
    assert run["not_running"]["code"] == "delayed"
    assert (run["ttl_ms"], run["max_duration_ms"]) == (7_200_000, 300_000)
    assert (run["concurrency_key"], run["priority"]) == ("tenant", 30)
    assert (run["tags"], run["metadata"], run["max_attempts"]) == (["a", "b"], {"step": 1}, 7)


def test_an_option_out_of_its_limits_is_misuse(project: Project) -> None:
    done = project.detent("tasks", "trigger", "fail", "--payload", '"x"', "--delay", "10")
    assert done.returncode == 2
    assert 'write "10s" for seconds' in done.stderr


def test_the_same_idempotency_key_finds_the_first_run(project: Project) -> None:
    # Given a run with a key
    first = project.trigger("greet", {"name": "Ada"}, "--idempotency-key", "order-7")
    # When it is triggered again
    again = project.json(
        "tasks", "trigger", "greet", "--payload", json.dumps({"name": "Ada"}), "--idempotency-key", "order-7"
    )
    # Then
    assert again == {"id": first, "task": "greet", "cached": True}


def test_the_example_of_a_fresh_project_is_triggered_without_a_payload(tmp_path: Path) -> None:
    # Given a project as `detent init` makes it, where no worker is
    project = Project(tmp_path / "fresh")
    project.root.mkdir()
    assert project.detent("init", "--yes").returncode == 0
    # When its task is triggered as `detent --help` says, but without waiting
    made = project.json("tasks", "trigger", "hello")
    # Then what was left out is an empty object, in which the name has its default
    assert project.json("runs", "get", made["id"])["payload"] == {"name": "world"}
