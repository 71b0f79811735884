from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tests.cli.conftest import DETENT, Project, environment, make_project

import detent

HEAVY = ("pydantic", "httpx", "rich", "msgspec", "dramatiq", "starlette", "detent.client", "detent.server")


def test_help_is_quick_and_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    # Given the command, started often enough for a fair figure
    took = []
    for _ in range(5):
        started = time.perf_counter()
        done = subprocess.run([DETENT, "--help"], capture_output=True, text=True, env=environment())
        took.append(time.perf_counter() - started)
    # Then all is named
    assert done.returncode == 0
    for name in ("init", "dev", "demo", "tts", "tasks", "runs", "queues", "tokens", "server", "worker"):
        assert f"\n  {name} " in done.stdout
    with capsys.disabled():
        print(f"\ndetent --help: median {sorted(took)[2] * 1000:.0f} ms, target under 200 ms")


@pytest.mark.parametrize(
    "arguments", [["--help"], ["runs", "--help"], ["tasks", "trigger", "--help"], ["tokens", "create", "--help"]]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    # Given a process that runs help and then tells what it has imported
    code = (
        "import sys\nfrom detent_cli.__main__ import run\n"
        f"assert run({arguments}) == 0\nprint(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment())
    # Then none of it is what commands need only when they work
    assert done.returncode == 0, done.stderr
    imported = done.stderr.split()
    assert not [name for name in imported if name in HEAVY]


def test_the_version_is_that_of_the_package() -> None:
    done = subprocess.run([DETENT, "--version"], capture_output=True, text=True)
    assert done.stdout == f"detent {detent.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["task"], "Did you mean 'tasks'?"),
        (["runs", "lst"], "Did you mean 'list'?"),
        (["runs", "get"], "Missing argument"),
        (["runs", "list", "--nope"], "No such option"),
        (["runs", "list", "--limit", "0"], "--limit"),
        (["runs", "list", "--status", "done"], "no status named 'done'"),
        (["--project", "nowhere", "runs", "list"], "does not exist"),
        (["tasks", "trigger", "greet", "--timeout", "1s"], "--wait"),
        (["dev", "--port", "70000"], "--port"),
    ],
)
def test_misuse_is_told_and_ends_with_2(project: Project, arguments: list[str], shown: str) -> None:
    # When the command is misused
    done = project.detent(*arguments)
    # Then it says what is wrong, without a traceback
    assert done.returncode == 2
    assert shown in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


def test_with_json_misuse_and_failure_are_objects_with_a_code(project: Project) -> None:
    misuse = project.detent("runs", "lst", "--json")
    failure = project.detent("runs", "get", "run_" + "0" * 32, "--json")
    assert misuse.returncode == 2
    assert json.loads(misuse.stdout)["error"]["code"] == "usage"
    assert failure.returncode == 1
    assert json.loads(failure.stdout)["error"]["code"] == "not_found"
    assert misuse.stderr == failure.stderr == ""


def test_a_failure_is_one_line_and_a_traceback_is_for_those_who_ask(project: Project) -> None:
    # Given a project whose settings are no TOML
    (project.root / "detent.toml").write_text("dirs = [")
    # When a command needs them
    told = project.detent("runs", "list")
    asked = project.detent("runs", "list", DETENT_DEBUG="1")
    # Then
    assert told.returncode == 1
    assert told.stderr.startswith("error: ")
    assert "detent.toml" in told.stderr
    assert told.stderr.count("\n") == 1
    assert "Traceback" in asked.stderr


def test_a_server_that_does_not_answer_is_one_line(project: Project) -> None:
    done = project.detent("queues", "list", DETENT_API_URL="http://127.0.0.1:1")
    assert done.returncode == 1
    assert "no detent server answers at http://127.0.0.1:1" in done.stderr
    assert done.stderr.count("\n") == 1


def test_looking_into_a_folder_that_is_no_project_leaves_nothing_there(tmp_path: Path) -> None:
    # Given an empty folder
    empty = Project(tmp_path)
    # When somebody looks for runs in it
    done = empty.detent("runs", "list")
    # Then the way out is named, and the folder is as it was
    assert done.returncode == 1
    assert "detent init" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_another_project_is_named_from_anywhere(project: Project, tmp_path: Path) -> None:
    # Given a run in a project
    made = project.trigger("greet", {"name": "Ada"})
    elsewhere = make_project(tmp_path / "elsewhere")
    # When somebody in another one asks for it
    found = elsewhere.json("--project", str(project.root), "runs", "list")
    # Then
    assert [run["id"] for run in found["items"]] == [made]
    assert elsewhere.json("runs", "list")["items"] == []


def test_a_reader_that_goes_early_is_no_error(project: Project) -> None:
    # Given a pipe whose reader has gone
    reading, writing = os.pipe()
    os.close(reading)
    # When a command prints into it
    done = subprocess.run(
        [DETENT, "tasks", "list"], cwd=project.root, env=environment(), stdout=writing, stderr=subprocess.PIPE
    )
    os.close(writing)
    # Then nobody hears of it
    assert b"Traceback" not in done.stderr
    assert b"BrokenPipe" not in done.stderr


def test_colours_are_for_terminals_alone(project: Project) -> None:
    # Given a run
    project.trigger("greet", {"name": "Ada"})
    # When the list goes to a terminal, and when it goes to a file
    main, terminal = pty.openpty()
    subprocess.run([DETENT, "runs", "list"], cwd=project.root, env=environment() | {"COLUMNS": "100"}, stdout=terminal)
    os.close(terminal)
    shown = os.read(main, 65536).decode()
    os.close(main)
    plain = project.detent("runs", "list").stdout
    # Then
    assert "\x1b[" in shown
    assert "\x1b[" not in plain
