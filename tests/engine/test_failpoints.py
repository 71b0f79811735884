"""Fail points are generated from the verbs, cost nothing unless they are asked for, and fire where they say."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from tests.engine.bench import Bench, Worker, new

from detent.engine import failpoints
from detent.engine.failpoints import POINTS, FailPoint, arm, is_apart, verb_of
from detent.engine.operations import Operations
from detent.errors import ConfigError
from detent.model.http_api import ROUTES
from detent.model.protocol import Claim, Done, Finish, Park, Request


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    arm({})


def armed_with(text: str) -> None:
    arm({"DETENT_FAILPOINT": text})


def test_every_verb_of_the_protocol_has_its_four_points() -> None:
    for request in get_args(Request):
        for side in ("before", "after", "worker_before", "worker_after"):
            assert f"{side}_{verb_of(request)}" in POINTS
    assert len(set(POINTS)) == len(POINTS) >= 40


def test_every_operation_of_clients_that_writes_has_its_two_points(bench: Bench) -> None:
    operations = Operations(bench.engine)
    writing = {name for name, route in ROUTES.items() if route.method != "GET" and not is_apart(name)}
    assert "runs.cancel" in writing
    assert set(operations._by_name) == set(ROUTES)
    for name in (failpoints.TRIGGER, *writing):
        assert {f"before_{verb_of(name)}", f"after_{verb_of(name)}"} <= set(POINTS)


def test_an_operation_whose_route_says_that_it_reads_may_not_write(bench: Bench, monkeypatch: Any) -> None:
    armed_with("after_claim:raise")
    operations = Operations(bench.engine)
    monkeypatch.setitem(operations._by_name, "health", lambda: bench.engine.pause_queue("q"))
    with pytest.raises(RuntimeError, match="health writes"):
        operations.call("health")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("after_clam:kill", "no fail point named 'after_clam'; did you mean 'after_claim' or"),
        ("after_claim", "expected after_claim:ACTION with an action of kill, raise, stop"),
        ("after_claim:die", "expected after_claim:ACTION"),
        ("after_claim:kill@0", "a whole number of 1 or more after the @"),
        ("before_park:stop@3, after_claim:kill@x", "is 'after_claim:kill@x'"),
    ],
)
def test_a_wrong_fail_point_is_refused_with_what_there_is(text: str, expected: str) -> None:
    with pytest.raises(ConfigError, match=r"^DETENT_FAILPOINT") as caught:
        armed_with(text)
    assert expected in caught.value.message


def test_without_the_variable_there_is_nothing_to_pass() -> None:
    arm({})
    assert failpoints.armed is None
    arm({"DETENT_FAILPOINT": ""})
    assert failpoints.armed is None


def test_before_a_commit_nothing_is_stored_yet_and_after_it_everything_is(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    armed_with("before_claim:raise, after_claim:raise@2")
    with pytest.raises(FailPoint, match="before_claim"):
        worker.take()
    assert bench.state(run) == "QUEUED"
    grant = worker.take()
    bench.trigger()
    with pytest.raises(FailPoint, match="after_claim"):
        worker.take()
    assert bench.count("SELECT count(*) FROM runs WHERE state = 'EXECUTING'") == 2
    assert worker.finish(grant) == Done()


def test_a_claim_that_brings_nothing_and_a_refusal_pass_no_point(bench: Bench) -> None:
    worker = bench.worker()
    armed_with("after_claim:raise, before_claim:raise, after_park:raise, before_timers:raise")
    assert worker.claim() == []
    worker.say(Park("run_none", 1, ["1"]))
    bench.engine.sweep()


def test_the_points_of_a_frame_are_passed_in_its_order(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    grant = worker.take()
    armed_with("after_finish:raise")
    with pytest.raises(FailPoint, match="after_finish"):
        worker.say(Finish(grant.run_id, grant.epoch, "COMPLETED"), Claim(async_=1))
    assert bench.state(grant.run_id) == "COMPLETED"


def test_what_clients_and_loops_write_has_points_too(tmp_path: Path, bench: Bench) -> None:
    operations = Operations(bench.engine)
    armed_with("before_tasks_trigger:raise, after_runs_cancel:raise, after_timers:raise, after_hello:raise@2")
    bench.worker()
    with pytest.raises(FailPoint, match="before_tasks_trigger"):
        operations.trigger([new()])
    run = operations.trigger([new()])[0].id
    with pytest.raises(FailPoint, match="after_runs_cancel"):
        operations.call("runs.cancel", id=run)
    assert bench.state(run) == "CANCELED"
    bench.trigger(delay_ms=1)
    with pytest.raises(FailPoint, match="after_timers"):
        bench.pass_time(1)
    with pytest.raises(FailPoint, match="after_hello"):
        Worker(bench, bench.worker().manifest, "again")


def test_only_the_time_that_was_named_counts(bench: Bench) -> None:
    operations = Operations(bench.engine)
    armed_with("after_tasks_trigger:raise@3")
    operations.trigger([new(known=True)])
    operations.trigger([new(known=True)])
    with pytest.raises(FailPoint):
        operations.trigger([new(known=True)])
    operations.trigger([new(known=True)])
    assert bench.count("SELECT count(*) FROM runs") == 4
