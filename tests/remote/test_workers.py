"""`detent worker` with an address and a key: real processes, over HTTP."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.faults.project import TASKS, doubled, wait_for
from tests.remote.buffering import Buffering
from tests.remote.far import far
from tests.servers.proxy import Proxy

MORE = """

from detent import runs, step


@task(id="asks")
async def asks(n: int, ctx: Context) -> str:
    made = await step("made", abs, n)
    effect("variable", os.environ["FAR_AWAY"])
    return f"{made} {(await runs.retrieve(ctx.run.id)).status}"


@task(id="large")
async def large(n: int) -> str:
    made = await step("made", str.__mul__, "x", n)
    said = await echo.trigger_and_wait(made)
    return said.unwrap()


@task(id="echo")
async def echo(text: str) -> str:
    return text


@task(id="apart", isolation="process")
def apart(n: int, ctx: Context) -> int:
    effect("apart", os.getpid())
    return n + 1
"""
LEASE = {"DETENT_LEASE_MS": "2000"}


def test_steps_waits_questions_variables_and_processes_of_their_own_work_over_http(tmp_path: Path) -> None:
    with far(tmp_path, TASKS + MORE) as made:
        client = made.client()
        client.transport.call("envvars.create", name="FAR_AWAY", value="yes")
        made.work("--processes", "1")
        made.server.hear("worker")

        parent = client.tasks.trigger("parent", 5)
        asked = client.tasks.trigger("asks", -3)
        apart = client.tasks.trigger("apart", 1)
        large = client.tasks.trigger("large", 300_000)
        report = made.near.finished(10)

        assert report.states == {"COMPLETED": 10}
        assert client.runs.retrieve(large.id).output == "x" * 300_000
        assert client.runs.retrieve(parent.id).output == 20
        assert client.runs.retrieve(asked.id).output == "3 EXECUTING"
        assert client.runs.retrieve(apart.id).output == 2
        assert made.away.effects("variable") == [["yes"]]
        assert report.lost_leases == 0


def test_a_killed_worker_is_told_of_at_once(tmp_path: Path) -> None:
    with far(tmp_path) as made:
        made.work("--processes", "2")
        for _ in range(2):
            made.server.hear("worker")
        run = made.client().tasks.trigger("gated-plain", "door")
        [[_, _, pid]] = wait_for("the run begins", lambda: made.away.effects("began"))
        os.kill(int(pid), signal.SIGKILL)
        wait_for("it begins again", lambda: len(made.away.effects("began")) == 2)
        made.away.open_gate("door")
        assert made.near.finished(1).lost_leases == 1
        assert made.client().runs.retrieve(run.id).status == "COMPLETED"


def test_a_server_that_is_started_anew_finds_parked_frames_and_no_attempt_is_lost(tmp_path: Path) -> None:
    with far(tmp_path) as made:
        worker = made.work()
        name = made.server.hear("worker")["id"]
        client = made.client()
        parent = client.tasks.trigger("parked", "door")
        wait_for("the child begins", lambda: made.away.effects("began"))
        wait_for("the parent parks", lambda: client.runs.retrieve(parent.id).status == "WAITING")
        pids = {process.pid for process in worker.workers()}

        made.server.kill_everything()
        assert made.serve().hear("worker")["id"] == name
        made.away.open_gate("door")
        report = made.near.finished(2)

        assert report.states == {"COMPLETED": 2}
        assert report.lost_leases == 0
        assert {process.pid for process in worker.workers()} == pids
        assert (
            len(made.away.effects("top")) == len(made.away.effects("resumed")) == len(made.away.effects("began")) == 1
        )


def test_runs_of_a_host_that_is_cut_off_move_and_what_it_says_late_is_refused(tmp_path: Path) -> None:
    with far(tmp_path, **LEASE) as made, Proxy(made.port) as proxy:
        cut_off = made.work(url=f"http://127.0.0.1:{proxy.port}")
        made.server.hear("worker")
        client = made.client()
        run = client.tasks.trigger("gated-plain", "door")
        wait_for("the run begins", lambda: made.away.effects("began"))

        proxy.cut()
        made.work()
        wait_for("it begins elsewhere", lambda: len(made.away.effects("began")) == 2)
        made.away.open_gate("door")
        wait_for("both have said their word", lambda: len(made.away.effects("ended")) == 2)
        made.near.finished(1)
        proxy.heal()
        wait_for("the late word is refused", lambda: "was given up" in cut_off.errors())
        report = made.near.finished(1)

        assert report.states == {"COMPLETED": 1}
        assert report.lost_leases == 1
        assert client.runs.retrieve(run.id).status == "COMPLETED"


@pytest.mark.soak
def test_connections_that_break_in_the_middle_lose_nothing_and_do_nothing_twice(tmp_path: Path) -> None:
    with far(tmp_path) as made, Proxy(made.port) as proxy:
        made.work(url=f"http://127.0.0.1:{proxy.port}")
        made.server.hear("worker")
        client = made.client()
        proxy.close_after(20_000)
        for _ in range(4):
            client.tasks.trigger("parent", 20)
        report = made.near.finished(84)
        proxy.heal()

        assert report.states == {"COMPLETED": 84}
        assert report.lost_leases == 0
        assert proxy.accepted > 2
        assert doubled(made.away.effects("child")) == {}


@pytest.mark.soak
def test_runs_of_a_host_that_is_lost_whole_go_on_after_the_lease(tmp_path: Path) -> None:
    with far(tmp_path, **LEASE) as made:
        worker = made.work()
        made.server.hear("worker")
        made.client().tasks.trigger("gated", "door")
        wait_for("the run begins", lambda: made.away.effects("began"))
        worker.kill_everything()
        made.work()
        wait_for("it begins again", lambda: len(made.away.effects("began")) == 2)
        made.away.open_gate("door")
        assert made.near.finished(1).lost_leases == 1


@pytest.mark.soak
def test_answers_that_a_proxy_holds_back_are_asked_for_one_by_one(tmp_path: Path) -> None:
    with far(tmp_path) as made, Buffering(made.port) as proxy:
        worker = made.work(url=f"http://127.0.0.1:{proxy.port}")
        made.server.hear("worker")
        made.client().tasks.trigger("parent", 20)
        report = made.near.finished(21)
        assert report.states == {"COMPLETED": 21}
        assert "held back on the way" in worker.errors()


@pytest.mark.soak
def test_a_run_for_a_label_waits_for_a_worker_that_offers_it(tmp_path: Path) -> None:
    with far(tmp_path) as made:
        made.work("--machine", "default")
        made.server.hear("worker")
        client = made.client()
        run = client.tasks.trigger("child", 1, machine="gpu-l4")
        plain = client.tasks.trigger("child", 2)
        wait_for("the other run ends", lambda: client.runs.retrieve(plain.id).status == "COMPLETED")
        reason = client.runs.retrieve(run.id).not_running
        assert reason is not None
        assert reason.code == "unserved_machine"
        made.work("--machine", "gpu-l4", "--concurrency", "1")
        assert made.near.finished(2).states == {"COMPLETED": 2}


@pytest.mark.soak
def test_a_key_that_is_revoked_ends_the_workers_with_a_sentence(tmp_path: Path) -> None:
    with far(tmp_path) as made:
        worker = made.work()
        made.server.hear("worker")
        client = made.client()
        [key] = [key for key in client.transport.call("keys.list")["items"] if key["name"] == "far"]
        client.transport.call("keys.revoke", id=key["id"])
        assert worker.process.wait(60) == 1
        said = worker.errors()
        assert "this key has been revoked; use another one" in said
        assert "Traceback" not in said
