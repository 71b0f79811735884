"""The fork server: worker processes from one that has imported the tasks."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from detent.embedded import running_server
from detent.model.ids import new_id
from detent.worker.fork_server import ForkServer

from .project import TASKS, Project, is_gone, wait_for

STARTS_A_THREAD = """
import threading
threading.Thread(target=threading.Event().wait, daemon=True).start()
"""


@contextmanager
def forking(folder: Path, tasks: str = TASKS) -> Iterator[tuple[Project, ForkServer]]:
    """A project with a server, no workers, and a fork server."""
    with Project(folder / "p", tasks) as project:
        project.run("server", "--port", "0", "--json")
        server = running_server(project.root / ".detent")
        assert server is not None
        assert server.socket is not None
        with ForkServer(project.root, server.socket) as forks:
            yield project, forks


def test_a_forked_worker_executes_runs_and_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with forking(tmp_path) as (project, forks):
        first = forks.fork(new_id("worker"))
        assert first.ready()
        began = time.monotonic()
        worker = forks.fork(new_id("worker"))
        assert worker.ready()
        print(f"\na worker was ready {(time.monotonic() - began) * 1000:.0f} ms after it was asked for")
        assert {first.pid, worker.pid} == {p.pid for p in psutil.Process(forks.pid).children()}
        first.tell("drain 5")
        assert first.wait(10) == 0

        project.client().tasks.trigger("parent", 5)

        assert project.finished(6).states == {"COMPLETED": 6}
        assert psutil.pid_exists(worker.pid)


def test_a_forked_worker_that_is_killed_is_told_of_with_its_signal(tmp_path: Path) -> None:
    with forking(tmp_path) as (_, forks):
        worker = forks.fork(new_id("worker"), env={"DETENT_POLL": "off"})
        assert worker.ready()
        assert psutil.Process(worker.pid).num_threads() > 1
        worker.kill()
        assert worker.wait(10) == -signal.SIGKILL
        other = forks.fork(new_id("worker"))
        os.kill(other.pid, signal.SIGSEGV)
        assert other.wait(10) == -signal.SIGSEGV


def test_forked_workers_end_with_their_fork_server(tmp_path: Path) -> None:
    with forking(tmp_path) as (_, forks):
        workers = [forks.fork(new_id("worker")) for _ in range(3)]
        assert all(worker.ready() for worker in workers)
        os.kill(forks.pid, signal.SIGKILL)
        assert [worker.wait(10) for worker in workers] == [-signal.SIGKILL] * 3
        wait_for("all end", lambda: all(is_gone(worker.pid) for worker in workers))


def test_a_worker_that_ends_has_its_cells_hand_back_what_they_could_not_finish(tmp_path: Path) -> None:
    with forking(tmp_path, TASKS.replace('id="gated-plain"', 'id="gated-plain", isolation="process"')) as started:
        project, forks = started
        worker = forks.fork(new_id("worker"))
        assert worker.ready()
        client = project.client()
        run = client.tasks.trigger("gated-plain", "never")
        [[_, _, cell]] = wait_for("it begins", lambda: project.effects("began"))
        worker.tell("drain 0.1")
        assert worker.wait(10) == 0
        wait_for("the cell has ended", lambda: is_gone(int(cell)))
        assert [event.kind for event in client.runs.events(run.id)] == ["trigger", "claim", "assign", "release"]
        assert project.check().lost_leases == 0


def test_tasks_that_start_threads_when_imported_get_fresh_processes(tmp_path: Path) -> None:
    with forking(tmp_path, TASKS + STARTS_A_THREAD) as (project, forks):
        worker = forks.fork(new_id("worker"))
        assert worker.ready()
        assert "detent.worker" in psutil.Process(worker.pid).cmdline()
        project.client().tasks.trigger("child", 1)
        assert project.finished(1).states == {"COMPLETED": 1}
        os.kill(worker.pid, signal.SIGKILL)
        assert worker.wait(10) == -signal.SIGKILL
