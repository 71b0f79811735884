"""The command against a running `detent dev`."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from tests.cli.conftest import DETENT, Project, environment


def test_the_output_of_a_run_that_is_waited_for_is_printed(served: Project) -> None:
    done = served.detent("tasks", "trigger", "greet", "--payload", '{"name": "Ada"}', "--wait")
    assert (done.returncode, done.stdout) == (0, "Hello, Ada!\n")
    many = served.detent("tasks", "trigger", "greet-all", "--payload", '["a", "b"]', "--wait")
    assert json.loads(many.stdout) == ["Hello, a!", "Hello, b!"]


def test_with_json_the_whole_run_is_one_document(served: Project) -> None:
    run = served.json("tasks", "trigger", "greet", "--payload", '{"name": "Ada"}', "--wait")
    assert (run["status"], run["output"], run["attempt"]) == ("COMPLETED", "Hello, Ada!", 1)


def test_a_run_that_fails_shows_the_lines_of_its_own_code(served: Project) -> None:
    # When a run that fails is waited for
    done = served.detent("tasks", "trigger", "fail", "--payload", '"the reason"', "--wait")
    # Then the exit status is 1, and the place is named
    assert (done.returncode, done.stdout) == (1, "")
    assert "FAILED: ValueError: cannot: the reason" in done.stderr
    assert "tasks/shop.py" in done.stderr
    assert "in help_to_fail" in done.stderr
    assert "site-packages" not in done.stderr
    # And the list and the page of the run say so too
    assert "ValueError: cannot: the reason" in served.detent("runs", "list", "--status", "failed").stdout
    page = served.detent("runs", "get", "latest").stdout
    assert 'raise ValueError(f"cannot: {reason}")' in page
    assert "Traceback" in served.detent("runs", "get", "latest", "--full").stdout


def test_an_unknown_task_is_refused_by_the_server(served: Project) -> None:
    done = served.detent("tasks", "trigger", "gret")
    assert done.returncode == 1
    assert "did you mean 'greet'" in done.stderr


def test_what_a_run_wrote_is_shown_by_level(served: Project) -> None:
    # Given a run that has ended
    made = served.json("tasks", "trigger", "greet", "--payload", '{"name": "Ada"}', "--wait")["id"]
    # Then
    shown = served.detent("runs", "logs", made, "--level", "info").stdout
    assert "INFO  greeting  name=Ada" in shown
    assert "printed by greet" in shown
    assert "in detail" not in shown
    lines = served.json("runs", "logs", made)["items"]
    assert {"in detail", "greeting"} <= {line["message"] for line in lines}


def test_the_trace_shows_attempts_and_children(served: Project) -> None:
    served.detent("tasks", "trigger", "greet-all", "--payload", json.dumps(list("abc")), "--wait")
    page = served.detent("runs", "get", "latest").stdout
    assert "children" in page
    assert "attempt 1" in page
    assert page.count("── greet ") == 3
    trace = served.json("runs", "get", "latest")["trace"]
    assert trace["name"] == "greet-all"


def test_logs_are_followed_to_the_end_of_the_run(served: Project, tmp_path: Path) -> None:
    # Given a run that waits for a file
    file = tmp_path / "go"
    made = served.trigger("wait-for-file", str(file))
    following = subprocess.Popen(
        [DETENT, "runs", "logs", made, "--follow"],
        cwd=served.root,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    assert "waiting" in following.stdout.readline()
    # When it goes on
    file.touch()
    # Then the rest arrives, and following ends
    rest, _ = following.communicate(timeout=30)
    assert "WARN  found it" in rest
    assert following.returncode == 0


def test_a_running_run_is_canceled(served: Project, tmp_path: Path) -> None:
    # Given two runs on a queue of limit 1, of which one executes
    first = served.trigger("wait-for-file", str(tmp_path / "never"))
    second = served.trigger("wait-for-file", str(tmp_path / "never"))
    reason = served.json("runs", "get", second)["not_running"]
    assert reason["code"] in {"queue_limit", "queued"}
    # When both are cancelled
    for made in (second, first):
        assert served.detent("runs", "cancel", made, "--reason", "enough").returncode == 0
    # Then both end so
    assert served.json("runs", "wait", first)["status"] == "CANCELED"
    assert served.json("runs", "wait", second)["status"] == "CANCELED"


def test_whoever_stops_waiting_is_told_that_the_run_goes_on(served: Project, tmp_path: Path) -> None:
    # Given somebody who waits
    made = served.trigger("wait-for-file", str(tmp_path / "never"))
    waiting = subprocess.Popen(
        [DETENT, "runs", "wait", made],
        cwd=served.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert waiting.stderr is not None
    waiting.stderr.readline()
    # When they press Ctrl-C
    waiting.send_signal(signal.SIGINT)
    _, said = waiting.communicate(timeout=30)
    # Then
    assert waiting.returncode == 130
    assert f"detent runs cancel {made}" in said
    assert "Traceback" not in said
    served.detent("runs", "cancel", made)


def test_the_served_tasks_are_listed(served: Project) -> None:
    tasks = served.json("tasks", "list")["items"]
    assert {task["id"]: task["served"] for task in tasks} == dict.fromkeys(
        ["fail", "greet", "greet-all", "wait-for-file"], True
    )
    assert "at import" not in served.detent("tasks", "list").stderr


def test_a_second_dev_on_the_same_project_refuses(served: Project) -> None:
    done = served.detent("dev", "--port", "0")
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert "Traceback" not in done.stderr


def test_a_worker_without_a_server_says_how_to_start_one(project: Project) -> None:
    done = project.detent("worker")
    assert done.returncode == 1
    assert "detent dev" in done.stderr


def test_a_short_text_is_spoken_into_a_file(tmp_path: Path) -> None:
    # Given a folder that is no project, and a cache of its own
    folder = Project(tmp_path)
    # When a text is spoken without an account
    done = folder.detent(
        "tts", "-", "--out", "hello.mp3", "--offline", "--json", input="Hello.", XDG_CACHE_HOME=str(tmp_path)
    )
    # Then the file is there
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)
    assert (tmp_path / "hello.mp3").stat().st_size > 1_000
