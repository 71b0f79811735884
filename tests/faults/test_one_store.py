"""Several processes on one embedded project, limits under load, full disks, lost tickets."""

from __future__ import annotations

import resource
import signal
import textwrap
import time
from pathlib import Path

import psutil
import pytest

from detent import DetentError

from .project import PATIENCE_S, Project, doubled, wait_for

SCRIPT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from detent import Detent
    client = Detent()
    for n in range(int(sys.argv[1]) if len(sys.argv) > 1 else 200):
        print(client.tasks.trigger("child", n).id, flush=True)
    """
)


def test_scripts_and_a_dev_that_starts_among_them_lose_and_double_no_run(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        scripts = [project.script(SCRIPT) for _ in range(4)]
        database = project.root / ".detent" / "detent.db"
        wait_for("the first runs are stored", lambda: database.exists() and list(project.client().runs.list(limit=1)))
        assert any(script.poll() is None for script in scripts)
        project.dev()
        acknowledged = [line for script in scripts for line in script.communicate(timeout=PATIENCE_S)[0].split()]

        assert [script.returncode for script in scripts] == [0] * 4
        assert len(acknowledged) == len(set(acknowledged)) == 800
        report = project.finished(800)
        assert report.states == {"COMPLETED": 800}
        assert {words[0] for words in project.effects("child")} == set(acknowledged)
        assert not doubled(project.effects("child"))


@pytest.mark.parametrize("thousands", [1, pytest.param(5, marks=pytest.mark.soak)])
def test_a_queue_of_limit_5_is_full_while_there_is_a_backlog_and_never_over(tmp_path: Path, thousands: int) -> None:
    with Project(tmp_path / "p") as project:
        project.dev(workers=2)
        client = project.client()
        for _ in range(thousands):
            client.tasks.batch_trigger([{"task": "slot", "payload": 10}] * 1_000)
        report = project.finished(thousands * 1_000, patience_s=90)

        narrow = report.queues["narrow"]
        print(f"\nlimit 5: most {narrow.most} at once, {narrow.used:.1%} of it in use over {narrow.backlog_ms} ms")
        assert report.states == {"COMPLETED": thousands * 1_000}
        assert narrow.most == 5
        # By real time, beside others; tests/engine/test_history.py judges more sharply, by a clock of its own.
        assert narrow.used >= 0.8


@pytest.mark.parametrize("env", [{"DETENT_POLL": "off"}, {"DETENT_TICKETS": "drop"}], ids=["no poll", "no tickets"])
def test_work_goes_on_without(tmp_path: Path, env: dict[str, str]) -> None:
    with Project(tmp_path / "p") as project:
        project.dev(workers=2, **env)
        client = project.client()
        for n in range(20):
            client.tasks.trigger("parent", 3)
            client.tasks.trigger("flaky", n)
            client.tasks.trigger("child", n, delay=0.2)
            client.tasks.trigger("slot", 1)
        report = project.finished(20 * 7)
        assert report.states == {"COMPLETED": 140}


def test_a_full_disk_refuses_clearly_keeps_what_was_acknowledged_and_heals(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev()
        client = project.client()
        acknowledged = [client.tasks.trigger("child", n).id for n in range(20)]
        project.finished(20)
        server = psutil.Process(dev.pid)
        store = project.root / ".detent" / "detent.db-wal"
        hard = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (store.stat().st_size + 20_000, hard))
        refusal = None
        for n in range(500):
            try:
                acknowledged.append(client.tasks.trigger("child", n, tags=["x" * 100]).id)
            except DetentError as error:
                refusal = error
                break
        assert refusal is not None
        assert refusal.code == "store_error"
        assert "disk" in refusal.message
        assert server.is_running()

        resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
        acknowledged.append(client.tasks.trigger("child", 1).id)
        report = project.finished(len(acknowledged))
        assert report.states == {"COMPLETED": len(acknowledged)}
        assert {words[0] for words in project.effects("child")} == set(acknowledged)


def test_a_worker_that_stands_still_holds_up_nobody_else(tmp_path: Path) -> None:
    with Project(tmp_path / "p") as project:
        dev = project.dev(workers=2)
        client = project.client()
        still = dev.workers()[0]
        still.send_signal(signal.SIGSTOP)
        try:
            big = "x" * 100_000
            runs = [client.tasks.trigger("child", n, tags=[f"n{n}"], metadata={"big": big}).id for n in range(50)]
            wait_for("most are done by the other", lambda: len(project.effects("child")) >= len(runs) - 20)
            at = time.monotonic()
            client.tasks.trigger("child", 0)
            assert time.monotonic() - at < 5
        finally:
            still.send_signal(signal.SIGCONT)
        assert project.finished(51).states == {"COMPLETED": 51}
