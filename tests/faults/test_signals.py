"""SIGTERM to a worker, Ctrl-C to `detent dev`: what executes is finished or handed back, nothing is left."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from .project import PATIENCE_S, Project, doubled, wait_for


def test_a_worker_told_to_stop_finishes_what_it_executes(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev()
        client = project.client()
        for task in ("gated", "gated-plain"):
            for _ in range(4):
                client.tasks.trigger(task, "door")
        began = wait_for("all begin", lambda: b if len(b := project.effects("began")) == 8 else None)
        os.kill(int(began[0][2]), signal.SIGTERM)
        client.tasks.trigger("child", 1)
        project.open_gate("door")
        report = project.finished(9)
        dev.hear("worker")

        assert report.states == {"COMPLETED": 9}
        assert report.lost_leases == 0
        assert len(project.effects("began")) == 8
        assert not doubled(project.effects("ended"))


def test_rolling_restarts_spend_no_attempt_and_do_nothing_twice(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev(workers=2)
        client = project.client()
        done = 0
        for _ in range(3):
            for _ in range(15):
                client.tasks.trigger("parent", 5)
                client.tasks.trigger("slot", 5)
            done += 15 * 7
            dev.workers()[0].send_signal(signal.SIGTERM)
            dev.hear("worker")
        report = project.finished(done)

        assert report.states == {"COMPLETED": done}
        assert report.lost_leases == 0
        assert not doubled(project.effects("child"))


def test_a_parked_run_goes_on_elsewhere_when_its_worker_is_told_to_stop(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev(workers=2)
        client = project.client()
        parent = client.tasks.trigger("parked", "door")
        wait_for("the child begins", lambda: project.effects("began"))
        wait_for("the parent parks", lambda: client.runs.retrieve(parent.id).status == "WAITING")
        [[_, holder]] = project.effects("top")
        os.kill(int(holder), signal.SIGTERM)
        # Where the child runs elsewhere it has nothing to finish, and is gone as soon as it has handed back the frame.
        wait_for("its worker leaves", lambda: "alive" not in project.worker_states(int(holder)))
        project.open_gate("door")
        report = project.finished(2)
        dev.hear("worker")

        assert report.states == {"COMPLETED": 2}
        assert report.lost_leases == 0
        assert client.runs.retrieve(parent.id).output == "door"


def test_ctrl_c_hands_back_a_busy_run_unharmed_and_leaves_no_process(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev()
        client = project.client()
        run = client.tasks.trigger("gated", "door")
        client.tasks.trigger("spawner", "never")
        wait_for("both begin", lambda: project.effects("began") and project.effects("helper"))

        began = time.monotonic()
        dev.signal(signal.SIGINT)
        assert dev.process.wait(PATIENCE_S) == 0
        print(f"\nCtrl-C with a busy run took {time.monotonic() - began:.2f} s")

        # The helper that the run has started is among them: it stands in the project's folder.
        assert not project.processes()
        report = project.check()
        assert report.lost_leases == 0
        found = client.runs.retrieve(run.id)
        assert (found.status, found.attempt) == ("QUEUED", 1)


def test_a_second_ctrl_c_stops_at_once_and_blames_no_run(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev()
        client = project.client()
        client.tasks.trigger("gated-plain", "door")
        wait_for("it begins", lambda: project.effects("began"))
        dev.signal(signal.SIGINT)
        dev.hear("note", lambda line: "Ctrl-C again" in line["text"])
        began = time.monotonic()
        dev.signal(signal.SIGINT)
        assert dev.process.wait(PATIENCE_S) == 0
        took_s = time.monotonic() - began
        print(f"\nthe second Ctrl-C took {took_s:.2f} s")

        assert not project.processes()
        assert project.check().lost_leases == 0
        project.open_gate("door")
        project.dev()
        assert project.finished(1).states == {"COMPLETED": 1}


def test_ctrl_c_while_the_workers_are_still_starting_leaves_no_process(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.run("dev", "--port", "0", "--json", "--workers", "3")
        dev.signal(signal.SIGINT)
        assert dev.process.wait(PATIENCE_S) == 0
        assert not project.processes()
