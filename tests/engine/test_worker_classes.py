"""Workers of a kind: the queues that they claim from, the machines that they offer."""

from __future__ import annotations

from typing import Any

from tests.engine.bench import Bench, Worker, new

from detent.engine.operations import Operations
from detent.model.machine import OFFERED
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Done, Failure, Gone, Hello, NewRun
from detent.objects import open_store

TASKS = Manifest(
    [
        TaskSpec("plain", "q"),
        TaskSpec("trains", "q", machine="gpu-l4"),
        TaskSpec("large", "big", machine="large-1x"),
    ]
)


def of_kind(bench: Bench, name: str, **values: Any) -> Worker:
    worker = Worker(bench, TASKS, f"worker_{name}")
    worker.hello(**values)
    return worker


def tasks_of(worker: Worker) -> list[str]:
    return [grant.task for grant in worker.claim(50)]


def test_a_run_that_names_a_label_is_claimed_only_where_it_is_offered(bench: Bench) -> None:
    usual = of_kind(bench, "usual", machines=list(OFFERED))
    gpu = of_kind(bench, "gpu", machines=["gpu-l4"])
    for task in ("trains", "plain", "large"):
        bench.engine.trigger([new(task)])
    bench.engine.trigger([new("plain", machine="gpu-l4"), new("trains", machine="small-1x")])

    assert sorted(tasks_of(usual)) == ["large", "plain", "trains"]
    assert sorted(tasks_of(gpu)) == ["plain", "trains"]
    assert tasks_of(usual) == tasks_of(gpu) == []


def test_a_worker_that_offers_a_label_and_default_takes_runs_that_name_no_machine_too(bench: Bench) -> None:
    both = of_kind(bench, "both", machines=["gpu-l4", "default"])
    for task in ("trains", "plain", "large"):
        bench.engine.trigger([new(task)])
    assert sorted(tasks_of(both)) == ["plain", "trains"]


def test_a_worker_that_says_nothing_of_machines_takes_all(bench: Bench) -> None:
    anything = of_kind(bench, "anything")
    bench.engine.trigger([new("trains"), new("plain", machine="tpu"), new("large")])
    assert sorted(tasks_of(anything)) == ["large", "plain", "trains"]


def test_a_worker_claims_from_its_queues_alone(bench: Bench) -> None:
    big = of_kind(bench, "big", queues=["big", "other"])
    bench.engine.trigger([new("plain"), new("large"), new("plain", queue="other")])
    rest = of_kind(bench, "rest")
    assert sorted(tasks_of(big)) == ["large", "plain"]
    assert sorted(tasks_of(rest)) == ["plain"]


def test_every_kind_of_worker_is_rung_for_a_run_that_only_one_of_them_takes(bench: Bench) -> None:
    usual = of_kind(bench, "usual", machines=list(OFFERED))
    gpu = of_kind(bench, "gpu", machines=["gpu-l4"])
    assert tasks_of(usual) == tasks_of(gpu) == []
    usual.pushes.clear()
    gpu.pushes.clear()
    bench.engine.trigger([new("trains")])
    assert gpu.rung()


def test_a_run_that_no_connected_worker_takes_says_what_to_start(bench: Bench) -> None:
    of_kind(bench, "usual", machines=list(OFFERED), queues=["q"])
    bench.engine.trigger([NewRun("run_gpu", "trains"), NewRun("run_big", "large")])
    operations = Operations(bench.engine, None, open_store("memory://"))

    found = operations.call("runs.retrieve", id="run_gpu")["not_running"]
    assert found["code"] == "unserved_machine"
    assert "no worker offers the machine 'gpu-l4'" in found["message"]
    diagnosis = operations.call("runs.diagnosis", id="run_gpu")
    assert diagnosis["verdict"] == "unserved_machine"
    assert diagnosis["waiting_for"] == [{"kind": "machine", "name": "gpu-l4"}]
    assert diagnosis["next"][0]["command"] == "detent worker --machine gpu-l4"

    diagnosis = operations.call("runs.diagnosis", id="run_big")
    assert diagnosis["verdict"] == "unserved_queue"
    assert diagnosis["next"][0]["command"] == "detent worker --queues big"

    of_kind(bench, "gpu", machines=["gpu-l4"])
    assert operations.call("runs.retrieve", id="run_gpu")["not_running"]["code"] == "queued"


def test_a_worker_id_of_another_environment_is_not_taken_over(bench: Bench) -> None:
    ours = of_kind(bench, "ours")
    hello = Hello(ours.id, TASKS, 1, 1.0, "host", env="env_other")
    _, answer = bench.engine.connect(hello, lambda _push: None)
    assert isinstance(answer, Failure)
    cell = Hello("worker_cell", TASKS, 1, 1.0, "host", env="env_other", parent=ours.id)
    _, answer = bench.engine.connect(cell, lambda _push: None)
    assert isinstance(answer, Failure)
    assert ours.beat() == Done()


def test_a_worker_cannot_tell_of_the_end_of_another(bench: Bench) -> None:
    ours = of_kind(bench, "ours")
    other = of_kind(bench, "other")
    [answer] = other.say(Gone(ours.id, "guessed"))
    assert isinstance(answer, Failure)
    assert ours.beat() == Done()
