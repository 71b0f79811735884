"""kill -9 of workers, of `detent dev`, and of everything at once."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import psutil
import pytest

from .project import Project, doubled, wait_for


def test_runs_of_a_killed_worker_go_on_elsewhere_within_a_second(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev(workers=2)
        client = project.client()
        runs = [client.tasks.trigger("gated-plain", "door") for _ in range(6)]
        began = wait_for("six runs begin", lambda: b if len(b := project.effects("began")) == 6 else None)
        victim = int(began[0][2])
        held = {words[0] for words in began if int(words[2]) == victim}

        killed_at = time.monotonic()
        os.kill(victim, signal.SIGKILL)
        wait_for(
            "all begin again",
            lambda: {words[0] for words in project.effects("began")[6:]} >= held,
        )
        recovered_s = time.monotonic() - killed_at
        print(f"\n{len(held)} runs of a killed worker executed again after {recovered_s:.3f} s")

        dev.hear("worker")
        project.open_gate("door")
        report = project.finished(len(runs))
        assert report.states == {"COMPLETED": 6}
        assert report.lost_leases == len(held)


def test_a_parent_finds_its_children_again_after_its_worker_was_killed(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        project.dev()
        client = project.client()
        run = client.tasks.trigger("parked", "door")
        [[_, _, first]] = wait_for("the child begins", lambda: project.effects("began"))
        before = {child.id for child in client.runs.list(parent=run.id)}
        os.kill(int(first), signal.SIGKILL)
        wait_for("the child begins again", lambda: len(project.effects("began")) == 2)
        project.open_gate("door")

        report = project.finished(2)

        assert report.states == {"COMPLETED": 2}
        assert {child.id for child in client.runs.list(parent=run.id)} == before
        assert len(project.effects("resumed")) == 1


def test_after_kill_9_of_everything_the_work_goes_on(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev(workers=2)
        client = project.client()
        parents = [client.tasks.trigger("parent", 10) for _ in range(20)]
        client.tasks.trigger("gated", "door")
        wait_for("work is under way", lambda: len(project.effects("child")) > 20)
        dev.kill_everything()
        done_before = {words[0] for words in project.effects("parent")}

        project.dev(workers=2)
        project.open_gate("door")
        report = project.finished(20 * 11 + 1)

        assert report.states == {"COMPLETED": 221}
        assert {words[0] for words in project.effects("parent")} == {run.id for run in parents}
        assert done_before <= {run.id for run in parents}
        # Only what was executing at the moment of the kill may have been done twice.
        assert len(doubled(project.effects("child"))) <= report.lost_leases
        _every_parent_has_its_own_ten_children(project)


def test_workers_end_by_themselves_when_dev_alone_is_killed(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev(workers=2)
        project.client().tasks.trigger("spawner", "never")
        [[helper]] = wait_for("the run starts a process", lambda: project.effects("helper"))
        family = dev.everything()
        assert int(helper) in {process.pid for process in family}

        killed_at = time.monotonic()
        os.kill(dev.pid, signal.SIGKILL)
        dev.process.wait()
        wait_for("all end", lambda: not project.processes())
        took_s = time.monotonic() - killed_at

        print(f"\nworkers ended {took_s:.3f} s after detent dev was killed")


@pytest.mark.soak
@pytest.mark.parametrize(("how", "cause"), [("exit", "exit code 139"), ("signal", "killed by SIGSEGV")])
def test_a_poisonous_run_crashes_after_three_workers_and_its_neighbours_finish(
    tmp_path: Path, how: str, cause: str
) -> None:
    with Project(tmp_path / "p") as project:
        project.dev()
        client = project.client()
        poison = client.tasks.trigger("poison", how)
        for n in range(20):
            client.tasks.trigger("child", n)
        report = project.finished(21)

        assert report.states == {"COMPLETED": 20, "CRASHED": 1}
        error = client.runs.retrieve(poison.id).error
        assert error is not None
        assert cause in error.message
        assert len(project.effects("poison")) == 3


def test_a_worker_killed_again_and_again_loses_nothing(tmp_path: Path) -> None:
    _kill_workers(tmp_path, parents=150, children=3, every_s=0.6, for_s=4.0)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_workers_killed_for_five_minutes_lose_nothing(tmp_path: Path) -> None:
    _kill_workers(tmp_path, parents=2_500, children=3, every_s=0.2, for_s=300.0, workers=4)


def _kill_workers(folder: Path, *, parents: int, children: int, every_s: float, for_s: float, workers: int = 2) -> None:
    chance = random.Random(11)
    with Project(folder / "p") as project:
        dev = project.dev(workers=workers)
        client = project.client()
        ends = time.monotonic() + for_s
        triggered: list[str] = []
        kills = 0
        while time.monotonic() < ends:
            share = (1 - (ends - time.monotonic()) / for_s) * parents
            while len(triggered) < min(parents, share + 1):
                triggered.append(client.tasks.trigger("parent", children).id)
            busy = [worker for worker in dev.workers() if _is_settled(worker)]
            if busy:
                chance.choice(busy).kill()
                kills += 1
            time.sleep(every_s)  # the pace of the fault, not a wait for anything
        while len(triggered) < parents:
            triggered.append(client.tasks.trigger("parent", children).id)
        report = project.finished(parents * (1 + children))

        print(f"\n{kills} kills, {report.lost_leases} leases lost, {report.states}")
        assert kills >= for_s / every_s / 8
        assert set(report.states) <= {"COMPLETED", "CRASHED"}
        assert report.states["CRASHED"] <= report.lost_leases / 3
        assert len(doubled(project.effects("child"))) <= report.lost_leases


def _is_settled(worker: psutil.Process) -> bool:
    """Whether it has lived long enough to have taken runs."""
    try:
        return time.time() - worker.create_time() > 0.5
    except psutil.NoSuchProcess:
        return False


def _every_parent_has_its_own_ten_children(project: Project) -> None:
    for _, *children in project.effects("parent"):
        assert len(set(children)) == 10
    assert len({words[0] for words in project.effects("child")}) == 200
