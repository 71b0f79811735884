"""Versions in the engine: pinned runs, promotion at once or not at all, supervisors, time-outs."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from tests.engine.bench import Bench, Worker, new

from detent.engine.operations import Operations
from detent.errors import Conflict, InvalidOptions, NotFound, TaskNotFound
from detent.model.bundle_key import bundle_key
from detent.model.ids import new_id
from detent.model.manifest import Manifest, QueueSpec, ScheduleSpec, TaskSpec
from detent.model.protocol import Wait
from detent.objects import open_store

BUNDLE = {"hash": "ab" * 32, "bytes": 10, "files": 1}


class Deployments:
    """The operations of a bench, and a bundle that was uploaded."""

    def __init__(self, bench: Bench) -> None:
        objects = open_store("memory://")
        objects.put(bundle_key(bench.engine.env, BUNDLE["hash"]), b"0123456789")
        self.bench = bench
        self.operations = Operations(bench.engine, None, objects)

    def call(self, name: str, **values: Any) -> Any:
        return self.operations.call(f"deployments.{name}", **values)

    def begin(self, *tasks: TaskSpec | str, **values: Any) -> Any:
        made = self.call("create", **values)
        return self.finish(made, *tasks)

    def finish(self, made: Any, *tasks: TaskSpec | str, queues: Any = ()) -> Any:
        specs = [TaskSpec(task, f"task/{task}") if isinstance(task, str) else task for task in tasks]
        manifest = msgspec.to_builtins(Manifest(specs, list(queues)))
        return self.call("finalize", id=made["id"], manifest=manifest, bundle=BUNDLE, lock_hash="l", python="3.11")

    def worker(self, version: str | None, *tasks: str) -> Worker:
        specs = [TaskSpec(task, f"task/{task}") for task in tasks]
        return Worker(self.bench, Manifest(specs, version=version), new_id("worker"))

    def state(self, run_id: str) -> str:
        return self.operations.call("runs.retrieve", id=run_id)["status"]


@pytest.fixture
def deployments(bench: Bench) -> Deployments:
    return Deployments(bench)


def test_versions_count_the_deployments_of_a_day(bench: Bench, deployments: Deployments) -> None:
    first, second = deployments.begin("work"), deployments.begin("work")
    assert (first["version"], second["version"]) == ("20270115.1", "20270115.2")
    assert first["status"] == second["status"] == "DEPLOYED"
    bench.clock.forward(24 * 3600)
    assert deployments.begin("work")["version"] == "20270116.1"


def test_a_deployment_that_is_begun_again_by_its_id_is_found(deployments: Deployments) -> None:
    made = new_id("dep")
    assert deployments.call("create", id=made)["version"] == deployments.call("create", id=made)["version"]


def test_a_run_stays_on_the_version_that_first_claimed_it(bench: Bench, deployments: Deployments) -> None:
    """Given a run that waits on v1, when v2 is promoted, then the run goes on on v1 and new runs are v2's."""
    v1 = deployments.begin("work")["version"]
    one = deployments.worker(v1, "work")
    old = bench.trigger("work")
    grant = one.take()
    one.say(Wait(grant.run_id, grant.epoch, "w", 1, "time", for_ms=10_000, park=True))
    v2 = deployments.begin("work")["version"]
    two = deployments.worker(v2, "work")
    fresh = bench.trigger("work")
    bench.clock.forward(11)
    bench.engine.sweep()
    assert [run.run_id for run in two.claim()] == [fresh]
    assert two.claim() == []
    again = one.take()
    assert (again.run_id, again.version) == (old, v1)


def test_workers_of_code_that_was_not_deployed_take_nothing_where_a_version_is_current(
    bench: Bench, deployments: Deployments
) -> None:
    local = deployments.worker(None, "work")
    before = bench.trigger("work")
    assert local.take().run_id == before
    deployments.begin("work")
    after = bench.trigger("work")
    assert local.claim() == []
    assert deployments.state(after) == "QUEUED"


def test_a_child_that_is_waited_for_inherits_the_version_and_one_that_is_not_does_not(
    bench: Bench, deployments: Deployments
) -> None:
    v1 = deployments.begin("parent", "child")["version"]
    one = deployments.worker(v1, "parent", "child")
    bench.trigger("parent")
    grant = one.take()
    deployments.begin("parent", "child")
    waited = one.trigger(grant, "1", new("child"), wait=True).handles[0].id
    left = one.trigger(grant, "2", new("child")).handles[0].id
    rows = {run: bench.engine.store.read("find_run", id=run)[0]["version"] for run in (waited, left)}
    assert rows == {waited: v1, left: None}


def test_a_child_that_the_newer_version_lacks_is_found_in_that_of_its_parent(
    bench: Bench, deployments: Deployments
) -> None:
    v1 = deployments.begin("parent", "gone")["version"]
    one = deployments.worker(v1, "parent", "gone")
    bench.trigger("parent")
    grant = one.take()
    deployments.begin("parent")
    child = one.trigger(grant, "1", new("gone"), wait=True).handles[0].id
    assert one.take().run_id == child


def test_a_run_of_a_task_that_no_deployed_version_knows_starts_when_one_lands(
    bench: Bench, deployments: Deployments
) -> None:
    v1 = deployments.begin("work")["version"]
    deployments.worker(v1, "work")
    early = bench.trigger("wrok")
    reason = deployments.operations.call("runs.retrieve", id=early)["not_running"]
    assert (deployments.state(early), reason["code"]) == ("PENDING_VERSION", "pending_version")
    assert "did you mean 'work'?" in reason["message"]
    v2 = deployments.begin("work", "wrok")["version"]
    assert deployments.state(early) == "QUEUED"
    assert deployments.worker(v2, "work", "wrok").take().run_id == early


def test_a_run_for_a_queue_that_no_deployed_version_knows_starts_when_one_lands(
    bench: Bench, deployments: Deployments
) -> None:
    deployments.begin("work")
    early = bench.trigger("work", queue="gpu", queue_given=True)
    assert deployments.state(early) == "PENDING_VERSION"
    made = deployments.call("create")
    deployments.finish(made, "work", queues=[QueueSpec("gpu", 2)])
    assert deployments.state(early) == "QUEUED"


def test_a_version_without_workers_is_named_with_what_to_do(bench: Bench, deployments: Deployments) -> None:
    v1 = deployments.begin("work")["version"]
    waiting = bench.trigger("work")
    reason = deployments.operations.call("runs.retrieve", id=waiting)["not_running"]
    assert (reason["code"], reason["name"]) == ("unserved_version", v1)
    assert "detent worker --env dev" in reason["message"]
    diagnosis = deployments.operations.call("runs.diagnosis", id=waiting)
    assert diagnosis["verdict"] == "unserved_version"
    assert [step["action"] for step in diagnosis["next"]] == ["start", "deployment", "logs"]


def test_a_run_can_be_triggered_for_a_version(bench: Bench, deployments: Deployments) -> None:
    v1 = deployments.begin("work")["version"]
    v2 = deployments.begin("work", "fresh")["version"]
    old = bench.trigger("work", version=v1)
    two, one = deployments.worker(v2, "work", "fresh"), deployments.worker(v1, "work")
    assert two.claim() == []
    assert one.take().run_id == old
    with pytest.raises(InvalidOptions, match=f"did you mean '{v1}'"):
        bench.trigger("work", version=f"{v1}0")
    with pytest.raises(TaskNotFound, match=f"no task of version {v1} named 'fresh'"):
        bench.trigger("fresh", version=v1)


def test_supervisors_are_waited_for_and_one_that_fails_leaves_the_environment_as_it_is(
    deployments: Deployments,
) -> None:
    v1 = deployments.begin("work")["version"]
    beat = {"supervisor": "s1", "host": "here"}
    deployments.call("supervise", **beat, ready=[v1])
    made = deployments.begin("work")
    assert made["status"] == "DEPLOYING"
    orders = deployments.call("supervise", **beat, ready=[v1])["versions"]
    assert [(each["version"], each["is_current"]) for each in orders] == [(made["version"], False), (v1, True)]
    why = {"code": "dependencies", "message": "no version of leftpad matches"}
    deployments.call("supervise", **beat, ready=[v1], failed={made["version"]: why})
    ended = deployments.call("retrieve", id=made["id"])
    assert (ended["status"], ended["error"]["message"]) == ("FAILED", "here: no version of leftpad matches")
    assert deployments.call("retrieve", id="current")["version"] == v1
    third = deployments.begin("work")
    deployments.call("supervise", **beat, ready=[v1, third["version"]])
    assert deployments.call("retrieve", id="current")["version"] == third["version"]


def test_a_supervisor_that_is_gone_holds_nothing_up(bench: Bench, deployments: Deployments) -> None:
    deployments.call("supervise", supervisor="s1", host="here")
    made = deployments.begin("work")
    assert made["status"] == "DEPLOYING"
    bench.clock.forward(20)
    assert bench.engine.look_after_deployments() == 1
    assert deployments.call("retrieve", id=made["id"])["status"] == "DEPLOYED"
    deployments.call("supervise", supervisor="s2", host="here")
    last = deployments.begin("work")
    deployments.call("supervise", supervisor="s2", host="here", leaving=True)
    assert deployments.call("retrieve", id="current")["version"] == last["version"]


def test_a_deployment_that_nobody_speaks_of_times_out(bench: Bench, deployments: Deployments) -> None:
    made = deployments.call("create")
    deployments.call("progress", id=made["id"], status="BUILDING", lines=["resolving"])
    bench.clock.forward(599)
    bench.engine.look_after_deployments()
    assert deployments.call("retrieve", id="latest")["status"] == "BUILDING"
    bench.clock.forward(2)
    bench.engine.look_after_deployments()
    assert deployments.call("retrieve", id="latest")["status"] == "TIMED_OUT"
    assert deployments.call("progress", id=made["id"], lines=["late"])["status"] == "TIMED_OUT"
    assert [line["text"] for line in deployments.call("log", id=made["id"])["items"]] == ["resolving"]
    with pytest.raises(Conflict, match="TIMED_OUT"):
        deployments.finish(made, "work")


def test_of_two_deployments_at_once_the_newer_one_stays_current(deployments: Deployments) -> None:
    first, second = deployments.call("create"), deployments.call("create")
    deployments.finish(second, "work")
    late = deployments.finish(first, "work")
    assert (late["status"], late["is_current"]) == ("DEPLOYED", False)
    assert second["version"] in late["note"]
    assert deployments.call("retrieve", id="current")["version"] == second["version"]


def test_promotion_waits_where_it_is_asked_to_and_rollback_goes_back_one(deployments: Deployments) -> None:
    v1 = deployments.begin("work")["version"]
    v2 = deployments.begin("work", skip_promotion=True)
    assert (v2["status"], v2["is_current"]) == ("DEPLOYED", False)
    with pytest.raises(Conflict, match="first version"):
        deployments.call("rollback")
    assert deployments.call("promote", id=v2["version"])["is_current"]
    assert deployments.call("rollback")["version"] == v1
    assert deployments.call("promote", id=v2["id"])["is_current"]
    failed = deployments.call("create")
    deployments.call("fail", id=failed["id"], code="import_error", message="tasks.py:3: boom", step="build")
    with pytest.raises(Conflict, match="FAILED"):
        deployments.call("promote", id=failed["version"])
    with pytest.raises(NotFound, match="did you mean"):
        deployments.call("promote", id=f"{v1}7")


def test_promotion_brings_queues_and_schedules_and_rollback_takes_them_back(
    bench: Bench, deployments: Deployments
) -> None:
    nightly = TaskSpec("work", "task/work", schedule=ScheduleSpec("0 3 * * *"))
    deployments.begin("work")
    deployments.begin(nightly)
    listed = deployments.operations.call("schedules.list")["items"]
    assert [each["task"] for each in listed] == ["work"]
    deployments.call("rollback")
    assert deployments.operations.call("schedules.list")["items"] == []


def test_a_bundle_that_was_not_uploaded_is_not_deployed(deployments: Deployments) -> None:
    made = deployments.call("create")
    manifest = msgspec.to_builtins(Manifest([TaskSpec("work", "q")]))
    with pytest.raises(NotFound, match="upload"):
        deployments.call("finalize", id=made["id"], manifest=manifest, bundle=BUNDLE | {"hash": "cd" * 32})
    with pytest.raises(InvalidOptions, match="SHA-256"):
        deployments.call("finalize", id=made["id"], manifest=manifest, bundle=BUNDLE | {"hash": "../../x"})


def test_old_versions_are_wanted_for_as_long_as_runs_need_them(bench: Bench, deployments: Deployments) -> None:
    v1 = deployments.begin("work")["version"]
    one = deployments.worker(v1, "work")
    bench.trigger("work")
    grant = one.take()
    v2 = deployments.begin("work")["version"]
    beat = {"supervisor": "s1", "host": "here"}
    orders = deployments.call("supervise", **beat)["versions"]
    assert {each["version"]: each["runs"] for each in orders} == {v1: {"executing": 1}, v2: {}}
    one.finish(grant)
    assert [each["version"] for each in deployments.call("supervise", **beat)["versions"]] == [v2]


def test_a_run_of_an_environment_without_workers_is_told_how_to_start_some_there(bench: Bench) -> None:
    there = Deployments(bench)
    prod = there.operations.in_env("prod")
    [made] = prod.trigger([new("work")])
    reason = prod.call("runs.retrieve", id=made.id)["not_running"]
    assert reason["message"] == "no worker is connected; start some with `detent worker --env prod`"
    assert prod.call("report")["verdicts"][0]["next"] == ["detent worker --env prod"]
