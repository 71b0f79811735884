from __future__ import annotations

from tests.cli.conftest import Project


def test_a_report_says_whose_the_problem_is_and_what_to_do(project: Project) -> None:
    assert project.detent("report").stdout.startswith("ok  work is flowing: 0 triggered")
    project.trigger("greet", {"name": "Ada"})
    failing = project.detent("report", "--period", "10m")
    assert failing.returncode == 1
    assert failing.stdout.startswith("failing  no worker is connected, with 1 run queued (the problem is yours)")
    assert "no_worker (yours)" in failing.stdout
    assert "detent worker" in failing.stdout
    assert project.json("report")["verdicts"][0]["code"] == "no_worker"
    assert project.detent("report", "--period", "1s").returncode == 2
