"""Workers of two environments at once, under one server."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.cli.conftest import DETENT, Project, environment, make_project

TASKS = """\
import os

from detent import Context, task


@task(id="env-where")
def where(payload: None, ctx: Context) -> list:
    return [ctx.environment, os.environ.get("REGION"), os.getpid()]


@task(id="env-where-apart", isolation="process")
def where_apart(payload: None, ctx: Context) -> list:
    return [ctx.environment, os.environ.get("REGION"), os.getppid()]
"""


@contextmanager
def running(project: Project, *arguments: str, ready: str) -> Iterator[subprocess.Popen[str]]:
    """A long-running command that has said that it is ready."""
    process = subprocess.Popen(
        [DETENT, *arguments],
        cwd=project.root,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if ready in line:
                break
        else:
            pytest.fail(f"{arguments} ended before it was ready")
        yield process
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)


def test_runs_of_an_environment_are_executed_by_its_own_workers_alone(tmp_path: Path) -> None:
    # Given `detent dev`, which serves dev, with a variable that each environment has for itself
    project = make_project(tmp_path / "shop", TASKS)
    for env in ("dev", "staging"):
        assert project.detent("--env", env, "env", "set", f"REGION=of-{env}", "--plain").returncode == 0
    with running(project, "dev", "--port", "0", "--no-reload", ready="worker ready"):
        in_dev = project.json("tasks", "trigger", "env-where", "--wait")["output"]
        assert in_dev[:2] == ["dev", "of-dev"]
        # When a run is triggered in staging, where no worker is
        made = project.json("--env", "staging", "tasks", "trigger", "env-where")["id"]
        # Then the worker of dev does not see it, nor do clients of dev
        waiting = project.json("--env", "staging", "runs", "get", made)
        assert waiting["not_running"]["code"] == "no_worker"
        assert f"no run '{made}'" in project.detent("runs", "get", made).stderr
        # When a worker of staging comes
        worker = subprocess.Popen(
            [DETENT, "worker", "--env", "staging", "--local"], cwd=project.root, env=environment()
        )
        try:
            # Then it executes the run, and is told where it is
            done = project.json("--env", "staging", "runs", "wait", made)
            assert done["output"][:2] == ["staging", "of-staging"]
            assert done["output"][2] != in_dev[2]
            # And so are processes of single runs
            apart = project.json("--env", "staging", "tasks", "trigger", "env-where-apart", "--wait")["output"]
            assert apart[:2] == ["staging", "of-staging"]
            # And dev goes on as before
            assert project.json("tasks", "trigger", "env-where", "--wait")["output"] == in_dev
        finally:
            worker.send_signal(signal.SIGINT)
            assert worker.wait(30) == 0


def test_a_worker_of_an_environment_that_is_not_there_is_refused(served: Project) -> None:
    done = served.detent("worker", "--env", "stagin")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "did you mean 'staging'" in done.stderr
    refused = served.detent("dev", DETENT_ENVIRONMENT="staging")
    assert (refused.returncode, refused.stderr.count("\n")) == (2, 1)
    assert "`detent worker --env staging --local`" in refused.stderr


def test_an_environment_is_reached_also_while_no_server_runs(project: Project) -> None:
    token = project.json("--env", "staging", "tokens", "create")["id"]
    assert [row["id"] for row in project.json("tokens", "list", DETENT_ENVIRONMENT="staging")["items"]] == [token]
    done = project.detent("--env", "stagin", "tokens", "list")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "did you mean 'staging'" in done.stderr
