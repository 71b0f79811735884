from __future__ import annotations

import json
import signal
import subprocess

from tests.cli.conftest import DETENT, Project, environment


def test_a_diagnosis_shows_the_lines_around_the_failure_and_what_to_do(served: Project) -> None:
    # Given a run that failed
    run_id = served.trigger("fail", "too little milk")
    assert served.detent("runs", "wait", run_id).returncode == 1
    # When it is diagnosed
    shown = served.detent("runs", "diagnose", run_id).stdout
    # Then
    assert "failed: it failed after 1 attempt: ValueError: cannot: too little milk (tasks/shop.py:" in shown
    assert 'raise ValueError(f"cannot: {reason}")' in shown
    assert "def help_to_fail(reason: str) -> None:" in shown
    assert "may have changed" not in shown
    assert f"detent runs replay {run_id}" in shown
    found = served.json("runs", "diagnose", run_id)
    assert (found["verdict"], found["error"]["frames"][-1]["source"]["state"]) == ("failed", "same")


def test_a_run_without_a_worker_says_how_to_start_one(project: Project) -> None:
    run_id = project.trigger("greet", {"name": "Ada"})
    shown = project.detent("runs", "diagnose", run_id[:20])
    assert shown.returncode == 0
    assert "no_worker: no worker is connected" in shown.stdout
    assert project.detent("runs", "diagnose", "run_nothing").returncode == 1


def test_lines_of_all_runs_are_searched(served: Project) -> None:
    names = ["Ada", "Grace"]
    for name in names:
        assert served.detent("runs", "wait", served.trigger("greet", {"name": name})).returncode == 0
    shown = served.detent("logs", "greeting", "--task", "greet", "--level", "info", "--since", "1h").stdout
    assert [name for line in shown.splitlines() for name in names if f"name={name}" in line] == names
    [line] = served.json("logs", "grace", "--run", "latest")["items"]
    assert line["attributes"] == {"name": "Grace"}
    nothing = served.detent("logs", "no such words")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "No line fits.\n")
    assert served.detent("logs", "--level", "loud").returncode == 2


def test_new_lines_are_followed_until_it_is_interrupted(served: Project) -> None:
    # Given a command that follows what a task writes
    following = subprocess.Popen(
        [DETENT, "logs", "greeting", "--follow", "--json", "--since", "1h"],
        cwd=served.root,
        env=environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    assert following.stdout is not None
    # When runs write lines, the second once the first has been printed
    names: list[str] = []
    for name in ("Edsger", "Barbara"):
        served.trigger("greet", {"name": name})
        while name not in names:
            names.append(json.loads(following.stdout.readline())["attributes"]["name"])
    # Then each was printed once, and the command ends in peace
    assert (names.count("Edsger"), names.count("Barbara")) == (1, 1)
    following.send_signal(signal.SIGINT)
    assert following.communicate(timeout=30)[0] == ""
    assert following.returncode == 0
