"""Machines: their names, and how isolated runs are held to them."""

from __future__ import annotations

import os
from collections.abc import Iterator

import psutil
import pytest
from tests.faults.project import Project, wait_for

from detent import Context, Detent, Retry, task
from detent.config import load_config
from detent.errors import ConfigError, InvalidOptions
from detent.model.machine import MACHINES
from detent.testing import harness

TASKS = """
import os
import subprocess
import sys
from pathlib import Path

from detent import Context, Retry, task

EFFECTS = Path(__file__).parent.parent / "effects.log"


def effect(*words):
    with EFFECTS.open("a") as log:
        log.write(" ".join(map(str, words)) + "\\n")


def facts(ctx):
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    return [ctx.machine.name, ctx.machine.cpu, ctx.machine.memory, cpus, os.nice(0)]


@task(id="tells", isolation="process", machine="micro")
def tells(ctx: Context) -> list:
    return facts(ctx)


@task(id="tells-async", isolation="process")
async def tells_async(ctx: Context) -> list:
    return facts(ctx)


@task(id="free", machine="micro")
def free(ctx: Context) -> list:
    held = bytearray(400 << 20)
    return facts(ctx)


@task(id="greedy", isolation="process", machine="micro")
async def greedy(how: str, ctx: Context) -> int:
    effect("greedy", ctx.run.id, ctx.machine.name, ctx.attempt.number)
    if how == "refused":
        bytearray(1 << 44)
    if how == "helper":
        code = "import time; held = bytearray(b'x') * (400 << 20); time.sleep(60)"
        subprocess.run([sys.executable, "-c", code])
    held = bytearray(b"x") * (400 << 20)
    return len(held)


@greedy.on_failure
def greedy_failed(error, ctx: Context) -> None:
    effect("hook", ctx.run.id, type(error).__name__)


@task(id="moves", isolation="process", machine="micro", retry=Retry(max_attempts=1, out_of_memory="small-2x"))
def moves(how: str, ctx: Context) -> str:
    effect("greedy", ctx.run.id, ctx.machine.name, ctx.attempt.number)
    if how == "refused" and ctx.machine.name == "micro":
        raise MemoryError("no more")
    held = bytearray(b"x") * ((1200 if how == "too-much" else 400) << 20)
    return ctx.machine.name
"""
SETTINGS = """
machine = "small-1x"
"""

Served = tuple[Project, Detent, psutil.Process]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A project with one worker; its client and the worker's process."""
    with Project(tmp_path_factory.mktemp("machines") / "p", TASKS, SETTINGS) as project:
        dev = project.dev()
        [worker] = dev.workers()
        yield project, project.client(), worker


def ended(client: Detent, run_id: str):
    client.runs.poll(run_id)
    return client.runs.retrieve(run_id)


def machines_of(project: Project, run_id: str) -> list[list[str]]:
    """The machine and the attempt of each execution."""
    return [words[1:] for words in project.effects("greedy") if words[0] == run_id]


def hooks_of(project: Project, run_id: str) -> list[str]:
    """The errors that its failure hook was given."""
    return [words[1] for words in project.effects("hook") if words[0] == run_id]


def test_an_isolated_run_has_the_cpus_of_its_machine(served: Served) -> None:
    _, client, worker = served
    tells, inherits, chosen = (
        client.tasks.trigger("tells"),
        client.tasks.trigger("tells-async"),
        client.tasks.trigger("tells-async", machine="large-2x"),
    )
    usual = os.nice(0)
    here = psutil.cpu_count() if not hasattr(os, "sched_getaffinity") else len(worker.cpu_affinity())
    name, cpu, memory, cpus, nice = ended(client, tells.id).output
    assert (name, cpu, memory, cpus) == ("micro", 0.25, 0.25, 1)
    name, cpu, memory, cpus, nice_of_half = ended(client, inherits.id).output
    assert (name, cpu, memory, cpus) == ("small-1x", 0.5, 0.5, 1)
    name, cpu, memory, cpus, nice_of_large = ended(client, chosen.id).output
    assert (name, cpu, memory, cpus) == ("large-2x", 8, 16, min(8, here))
    assert nice > nice_of_half > nice_of_large >= usual
    assert client.runs.retrieve(chosen.id).machine == "large-2x"


def test_a_run_that_is_not_isolated_is_told_of_its_machine_and_not_held_to_it(served: Served) -> None:
    _, client, worker = served
    told = ended(client, client.tasks.trigger("free").id)
    assert told.output[:3] == ["micro", 0.25, 0.25]
    labelled = ended(client, client.tasks.trigger("free", machine="gpu-l4").id)
    assert labelled.output[:3] == ["gpu-l4", None, None]
    assert worker.is_running()


@pytest.mark.parametrize("how", ["itself", "helper"])
def test_an_isolated_run_that_uses_more_memory_than_its_machine_has_crashes(served: Served, how: str) -> None:
    project, client, worker = served
    told = ended(client, client.tasks.trigger("greedy", how).id)
    assert (told.status, told.error.code) == ("CRASHED", "out_of_memory")
    assert told.error.message.startswith("out of memory: used ")
    assert told.error.message.endswith(" of 256 MB on machine 'micro'")
    assert len(machines_of(project, told.id)) == 1
    # They run on a worker, without its limits.
    assert wait_for("its hooks have run", lambda: hooks_of(project, told.id)) == ["RunFailed"]
    assert worker.is_running()


def test_a_memory_error_of_an_isolated_run_is_out_of_memory_and_runs_its_hooks(served: Served) -> None:
    project, client, _ = served
    told = ended(client, client.tasks.trigger("greedy", "refused").id)
    assert (told.status, told.error.code) == ("CRASHED", "out_of_memory")
    assert told.error.message == "out of memory: MemoryError on machine 'micro'"
    assert "bytearray(1 << 44)" in told.error.traceback
    assert hooks_of(project, told.id) == ["MemoryError"]


@pytest.mark.parametrize("how", ["watched", "refused"])
def test_a_run_that_ran_out_of_memory_is_tried_once_more_on_the_machine_of_its_retry(served: Served, how: str) -> None:
    project, client, _ = served
    told = ended(client, client.tasks.trigger("moves", how).id)
    assert (told.status, told.output, told.machine, told.attempt) == ("COMPLETED", "small-2x", "small-2x", 1)
    assert machines_of(project, told.id) == [["micro", "1"], ["small-2x", "1"]]
    [moved] = [event for event in client.runs.events(told.id) if event.kind == "out_of_memory"]
    assert moved.data is not None
    assert moved.data["machine"] == "small-2x"
    assert moved.data["error"]["message"].startswith("out of memory: ")
    assert [attempt.outcome for attempt in told.attempts] == ["OUT_OF_MEMORY", "COMPLETED"]


def test_a_run_that_runs_out_of_memory_on_the_larger_machine_crashes(served: Served) -> None:
    project, client, _ = served
    told = ended(client, client.tasks.trigger("moves", "too-much").id)
    assert (told.status, told.error.code, told.machine) == ("CRASHED", "out_of_memory", "small-2x")
    assert told.error.message.endswith(" of 1,024 MB on machine 'small-2x'")
    assert machines_of(project, told.id) == [["micro", "1"], ["small-2x", "1"]]


# Names and settings, in process.


@task(id="labelled", machine="gpu-l4")
def labelled(ctx: Context) -> str:
    assert ctx.machine is not None
    return ctx.machine.name


def test_the_machine_of_a_trigger_goes_before_that_of_the_task() -> None:
    with harness([labelled]) as h:
        assert h.output(labelled.sync.trigger()) == "gpu-l4"
        chosen = labelled.sync.trigger(machine="large-1x")
        assert h.output(chosen) == "large-1x"
        assert h.run(chosen).machine == "large-1x"


def test_the_presets_grow_from_micro_to_large_2x() -> None:
    assert list(MACHINES) == ["micro", "small-1x", "small-2x", "medium-1x", "medium-2x", "large-1x", "large-2x"]
    assert [machine.memory for machine in MACHINES.values()] == sorted(machine.memory for machine in MACHINES.values())


def test_a_machine_without_a_name_is_refused() -> None:
    with pytest.raises(InvalidOptions, match="machine of task 'nameless': got '', expected one of micro, small-1x"):
        task(id="nameless", machine="")(lambda: None)
    with pytest.raises(InvalidOptions, match="machine: got 7"):
        labelled.sync.trigger(machine=7)  # type: ignore[arg-type]


def test_a_retry_on_a_machine_that_is_not_larger_is_refused() -> None:
    with pytest.raises(InvalidOptions, match=r"is 'small-1x' .0.5 GB., which is not larger than its machine"):
        task(id="smaller", machine="small-2x", retry=Retry(out_of_memory="small-1x"))(lambda: None)


def test_the_machine_after_out_of_memory_is_kept_with_the_policy() -> None:
    policy = Retry(out_of_memory="medium-2x")
    assert Retry.from_dict(policy.to_dict()) == policy
    with pytest.raises(InvalidOptions, match="out_of_memory: got 5"):
        Retry(out_of_memory=5)  # type: ignore[arg-type]


def test_the_machine_after_out_of_memory_can_be_set_for_the_project(tmp_path) -> None:
    file = tmp_path / "detent.toml"
    file.write_text('[retries]\nout_of_memory = "large-1x"\n[retries.default]\nmax_attempts = 5\n')
    retries = load_config(tmp_path, {}).retries
    assert (retries.out_of_memory, retries.max_attempts) == ("large-1x", 5)
    file.write_text("[retries]\nout_of_memory = 3\n")
    with pytest.raises(ConfigError, match=r"retries.out_of_memory is 3"):
        load_config(tmp_path, {})
