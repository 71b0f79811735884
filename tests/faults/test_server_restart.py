"""`detent server` and `detent worker` as processes of their own: either may go and come back."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from detent.config import load_config

from .project import Project, Service, wait_for


def _serve(project: Project) -> Service:
    return project.run("server", "--port", "0", "--json")


def test_a_worker_finds_the_server_again_and_keeps_its_parked_frames(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        server = _serve(project)
        worker = project.run("worker", ready=False)
        name = server.hear("worker")["id"]
        client = project.client()
        parent = client.tasks.trigger("parked", "door")
        wait_for("the child begins", lambda: project.effects("began"))
        wait_for("the parent parks", lambda: client.runs.retrieve(parent.id).status == "WAITING")
        pids = {process.pid for process in worker.workers()}

        server.kill_everything()
        again = _serve(project)
        assert again.hear("worker")["id"] == name
        project.open_gate("door")
        report = project.finished(2)

        assert report.states == {"COMPLETED": 2}
        assert report.lost_leases == 0
        assert {process.pid for process in worker.workers()} == pids
        assert len(project.effects("top")) == len(project.effects("resumed")) == 1


def test_the_death_of_a_worker_under_detent_worker_carries_its_cause(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        _serve(project)
        project.run("worker", ready=False)
        client = project.client()
        run = client.tasks.trigger("poison", "signal")
        report = project.finished(1)
        assert report.states == {"CRASHED": 1}
        error = client.runs.retrieve(run.id).error
        assert error is not None
        assert "SIGSEGV" in error.message


def test_detent_worker_told_to_stop_leaves_no_process_and_hands_back(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        server = _serve(project)
        worker = project.run("worker", ready=False)
        server.hear("worker")
        client = project.client()
        client.tasks.trigger("gated-plain", "door")
        wait_for("it begins", lambda: project.effects("began"))
        worker.signal(signal.SIGTERM)
        wait_for("it drains", lambda: client.health().workers == 0 or worker.process.poll() is None)
        worker.signal(signal.SIGTERM)
        assert worker.process.wait(30) == 0
        assert not worker.workers()
        project.open_gate("door")
        project.run("worker", ready=False)
        report = project.finished(1)
        assert report.states == {"COMPLETED": 1}
        assert report.lost_leases == 0


def test_without_a_server_detent_worker_says_so(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        assert load_config(project.root, {}).root == project.root
        worker = project.run("worker", ready=False)
        assert worker.process.wait(30) == 1
        assert "detent server" in worker.errors()


def test_a_server_killed_again_and_again_leaves_no_run_behind(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        server = _serve(project)
        project.run("worker", "--workers", "2", ready=False)
        total = 0
        for _ in range(3):
            client = project.client()
            seen = len(project.effects("child"))
            for _ in range(10):
                client.tasks.trigger("parent", 4)
            total += 50
            wait_for("work is under way", lambda seen=seen: len(project.effects("child")) > seen + 5)
            os.kill(server.pid, signal.SIGKILL)
            server.process.wait()
            server = _serve(project)
        assert project.finished(total).states == {"COMPLETED": total}
