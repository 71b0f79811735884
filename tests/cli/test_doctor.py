"""`detent doctor`."""

from __future__ import annotations

import json

from tests.cli.conftest import Project
from tests.cli.near import Near
from tests.servers.process import free_port


def test_a_project_where_nothing_runs_has_nothing_that_failed(project: Project) -> None:
    (project.root / "detent.toml").write_text('project = "shop"\ndirs = ["tasks"]\nport = 0\n')

    done = project.detent("doctor")
    document = project.json("doctor")

    assert done.returncode == 0, done.stdout
    assert "python.version" in done.stdout
    assert document["status"] != "failed"
    assert {tuple(check) for check in document["checks"]} == {("check", "status", "message", "advice", "figures")}


def test_a_server_that_does_not_answer_gives_exit_status_1_and_no_password(project: Project) -> None:
    url = f"postgresql://me:hidden-word@127.0.0.1:{free_port()}/shop"

    done = project.detent("doctor", "--json", DETENT_DATABASE_URL=url)

    assert done.returncode == 1
    assert "hidden-word" not in done.stdout + done.stderr
    [reach] = [check for check in json.loads(done.stdout)["checks"] if check["check"] == "database.reach"]
    assert reach["status"] == "failed"
    assert "start the server" in reach["advice"]


def test_settings_that_cannot_be_read_are_told_of(project: Project) -> None:
    (project.root / "detent.toml").write_text("prot = 1\n")

    done = project.detent("doctor")

    assert done.returncode == 1
    assert "prot" in done.stdout


def test_a_project_that_is_served_is_looked_at_through_its_server(near: Near) -> None:
    checks = {check["check"]: check["status"] for check in near.json("doctor")["checks"]}

    assert checks["api.key"] == checks["engine.workers"] == checks["lock.holder"] == "ok"
