"""Isolated tasks: what can be declared, and runs in processes of their own."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from tests.faults.project import Project, is_gone, wait_for

from detent import Detent, task
from detent.errors import InvalidOptions
from detent.testing import harness

TASKS = """
import asyncio
import ctypes
import os
import sys
import time
from pathlib import Path

from detent import Context, Retry, task

EFFECTS = Path(__file__).parent.parent / "effects.log"
GATES = Path(__file__).parent.parent / "gates"


def effect(*words):
    with EFFECTS.open("a") as log:
        log.write(" ".join(map(str, words)) + "\\n")


@task(id="alone", isolation="process")
def alone(n: int, ctx: Context) -> int:
    effect("alone", ctx.run.id, os.getpid(), ctx.attempt.number)
    print("said by", n)
    return n * 2


@task(id="alone-async", isolation="process", retry=Retry(max_attempts=3, min_timeout=0.01, max_timeout=0.02))
async def alone_async(n: int, ctx: Context) -> int:
    effect("alone", ctx.run.id, os.getpid(), ctx.attempt.number)
    await asyncio.sleep(0)
    if ctx.attempt.number <= n:
        raise SystemExit(3)
    return ctx.attempt.number


@task(id="lingers", isolation="process")
async def lingers(ctx: Context) -> str:
    effect("lingers", ctx.run.id)
    # The loop is busy between the end of the run and the word of it: longer than its process looks away.
    asyncio.get_running_loop().call_soon(time.sleep, 0.8)
    return "done"


@task(id="in-process")
def in_process(ctx: Context) -> int:
    effect("in-process", ctx.run.id, os.getpid())
    return os.getpid()


@task(id="waits", isolation="process")
async def waits(gate: str, ctx: Context) -> int:
    effect("top", ctx.run.id, os.getpid())
    try:
        first = await gated.trigger_and_wait(gate).unwrap()
    finally:
        effect("finally", ctx.run.id, os.getpid())
    effect("resumed", ctx.run.id, os.getpid())
    return first


@task(id="waits-plain", isolation="process")
def waits_plain(gate: str, ctx: Context) -> int:
    effect("top", ctx.run.id, os.getpid())
    first = gated.sync.trigger_and_wait(gate).unwrap()
    effect("resumed", ctx.run.id, os.getpid())
    return first


@task(id="gated")
async def gated(name: str, ctx: Context) -> int:
    effect("gated", ctx.run.id)
    while not (GATES / name).exists():
        await asyncio.sleep(0.01)
    return 7


@task(id="stuck", isolation="process", retry=Retry(max_attempts=1))
def stuck(how: str, ctx: Context) -> None:
    effect("stuck", ctx.run.id, os.getpid())
    if how == "in C":
        ctypes.PyDLL(None).sleep(300)
    elif how == "swallows":
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                pass
    while True:
        pass


@task(id="leaves-a-process", isolation="process")
def leaves_a_process() -> None:
    import subprocess

    helper = subprocess.Popen(["sleep", "300"])
    effect("helper", helper.pid)
    helper.returncode = 0


@task(id="holds", isolation="process")
def holds(name: str, ctx: Context) -> int:
    effect("holds", ctx.run.id, os.getpid())
    while not (GATES / name).exists():
        time.sleep(0.01)
    return ctx.attempt.crashes


@task(id="polite", isolation="process")
async def polite(ctx: Context) -> None:
    effect("stuck", ctx.run.id, os.getpid())
    await asyncio.Event().wait()


@polite.on_complete
async def polite_ended(result) -> None:
    effect("hook", result.status)
"""


SETTINGS = """
machine = "large-1x"
[worker]
stop_grace = 0.3
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, Detent, psutil.Process]]:
    """A project with one worker; its client and the worker's process."""
    with Project(tmp_path_factory.mktemp("isolated") / "p", TASKS, SETTINGS) as project:
        dev = project.dev()
        [worker] = dev.workers()
        yield project, project.client(), worker


Served = tuple[Project, Detent, psutil.Process]


def ended(client: Detent, run_id: str):
    client.runs.poll(run_id)
    return client.runs.retrieve(run_id)


def test_each_attempt_of_an_isolated_run_executes_in_a_process_of_its_own(served: Served) -> None:
    project, client, worker = served
    plain = client.tasks.trigger("alone", 4)
    tried = client.tasks.trigger("alone-async", 2)
    assert ended(client, plain.id).output == 8
    assert ended(client, tried.id).output == 3
    assert [line.message for line in client.runs.logs(plain.id)] == ["said by 4"]
    pids = [words[1] for words in project.effects("alone")]
    assert len(pids) == len(set(pids)) == 4
    assert str(worker.pid) not in pids
    inside = client.tasks.trigger("in-process")
    assert ended(client, inside.id).output == worker.pid


def test_a_process_does_not_end_before_the_engine_has_heard_of_the_end_of_its_run(served: Served) -> None:
    project, client, _ = served
    run = client.tasks.trigger("lingers")
    assert ended(client, run.id).output == "done"
    assert project.effects("lingers") == [[run.id]]


@pytest.mark.parametrize("name", ["waits", "waits-plain"])
def test_an_isolated_run_that_waits_leaves_its_process_and_is_replayed_in_another(served: Served, name: str) -> None:
    project, client, _ = served
    gate = f"door of {name}".replace(" ", "-")
    run = client.tasks.trigger(name, gate)

    def of_run(kind: str) -> list[str]:
        return [words[1] for words in project.effects(kind) if words[0] == run.id]

    [first] = wait_for("the run begins", lambda: of_run("top"))
    wait_for("its process has ended", lambda: is_gone(int(first)))
    assert client.runs.retrieve(run.id).status == "WAITING"
    project.open_gate(gate)
    assert ended(client, run.id).output == 7
    first_top, second = of_run("top")
    assert first_top == first != second
    assert of_run("resumed") == [second]
    if name == "waits":
        assert of_run("finally") == [first, second]
    kinds = [event.kind for event in client.runs.events(run.id)]
    assert kinds == ["trigger", "claim", "assign", "park", "resume", "claim", "assign", "finish"]


@pytest.mark.parametrize("how", ["in C", "swallows", "loops"])
def test_a_cancelled_isolated_run_is_killed_whatever_its_code_does(served: Served, how: str) -> None:
    project, client, worker = served
    run = client.tasks.trigger("stuck", how)
    pid = int(wait_for("it begins", lambda: [w[1] for w in project.effects("stuck") if w[0] == run.id])[0])
    client.runs.cancel(run.id, "not wanted")
    told = ended(client, run.id)
    assert (told.status, told.error.message, told.error.code) == ("CANCELED", "not wanted", "canceled")
    wait_for("its process has ended", lambda: is_gone(pid))
    assert worker.is_running()


def test_an_isolated_run_that_used_its_time_is_killed_while_it_is_blocked_in_c(served: Served) -> None:
    project, client, _ = served
    run = client.tasks.trigger("stuck", "in C", max_duration=1)
    told = ended(client, run.id)
    assert (told.status, told.error.code) == ("TIMED_OUT", "timed_out")
    assert "max_duration of 1 s" in told.error.message
    [pid] = [int(words[1]) for words in project.effects("stuck") if words[0] == run.id]
    wait_for("its process has ended", lambda: is_gone(pid))


def test_a_cancelled_isolated_run_that_stops_by_itself_runs_its_hooks(served: Served) -> None:
    project, client, _ = served
    run = client.tasks.trigger("polite")
    wait_for("it begins", lambda: [words for words in project.effects("stuck") if words[0] == run.id])
    client.runs.cancel(run.id)
    assert ended(client, run.id).status == "CANCELED"
    assert project.effects("hook") == [["CANCELED"]]


def test_isolated_runs_that_are_cancelled_while_they_start_end_as_canceled(served: Served) -> None:
    _, client, worker = served
    runs = [client.tasks.trigger("polite") for _ in range(12)]
    for run in runs:
        client.runs.cancel(run.id)
    assert {client.runs.poll(run.id).status for run in runs} == {"CANCELED"}
    # What is left is the process that the others are forked from.
    wait_for("their processes have ended", lambda: len(worker.children(recursive=True)) == 1)


def test_what_an_isolated_run_has_started_ends_with_it(served: Served) -> None:
    project, client, _ = served
    run = client.tasks.trigger("leaves-a-process")
    assert ended(client, run.id).status == "COMPLETED"
    [[helper]] = project.effects("helper")
    wait_for("its helper has ended", lambda: is_gone(int(helper)))


def test_a_worker_that_is_killed_takes_its_cells_along_and_their_runs_go_on(tmp_path: Path) -> None:
    with Project(tmp_path / "p", TASKS, SETTINGS) as project:
        dev = project.dev()
        client = project.client()
        run = client.tasks.trigger("holds", "door")
        [[_, cell]] = wait_for("it begins", lambda: project.effects("holds"))
        [worker] = dev.workers()
        worker.kill()
        wait_for("the cell has ended", lambda: is_gone(int(cell)))
        wait_for("it begins again", lambda: len(project.effects("holds")) == 2)
        project.open_gate("door")
        report = project.finished(1)
        assert report.states == {"COMPLETED": 1}
        # It had no part in the death of the worker, so that counts against nobody.
        assert client.runs.retrieve(run.id).output == 0


def test_a_worker_that_drains_lets_its_cells_finish(tmp_path: Path) -> None:
    with Project(tmp_path / "p", TASKS, SETTINGS) as project:
        dev = project.dev()
        run = project.client().tasks.trigger("holds", "door")
        [[_, cell]] = wait_for("it begins", lambda: project.effects("holds"))
        [worker] = dev.workers()
        dev.signal(signal.SIGTERM)
        wait_for("the worker drains", lambda: project.worker_states(worker.pid) == ["draining"])
        project.open_gate("door")
        assert dev.process.wait(20) == 0
        report = project.finished(1)
        assert (report.states, report.lost_leases) == ({"COMPLETED": 1}, 0)
        assert [words[0] for words in project.effects("holds")] == [run.id]
        assert is_gone(int(cell))


@task(id="declared-isolated", isolation="process", machine="micro")
def declared_isolated() -> int:
    return os.getpid()


def test_the_harness_executes_isolated_tasks_in_its_own_process() -> None:
    with harness([declared_isolated]) as h:
        assert h.output(declared_isolated.sync.trigger()) == os.getpid()
        [shown] = h.operations.call("tasks.list")["items"]
        assert (shown["isolation"], shown["machine"]) == ("process", "micro")


def test_an_unknown_isolation_is_refused_with_what_is_allowed() -> None:
    with pytest.raises(InvalidOptions, match="isolation of task 'strange' must be 'none' or 'process', got 'thread'"):

        @task(id="strange", isolation="thread")  # type: ignore[arg-type]
        def strange() -> None: ...
