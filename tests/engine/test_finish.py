from __future__ import annotations

import pytest
from tests.engine.bench import Bench

from detent.model.protocol import Done, Failure


def test_a_zombie_with_an_old_epoch_is_refused_and_changes_nothing(bench: Bench) -> None:
    first = bench.worker()
    run = bench.trigger()
    old = first.take()
    bench.engine.lose_worker(first.id, "killed")
    second = bench.worker()
    grant = second.take()
    answer = first.finish(old, output='"zombie"')
    assert isinstance(answer, Failure)
    assert answer.code == "lease_lost"
    assert second.finish(grant, output='"right"') == Done()
    assert bench.result(run).output == '"right"'
    assert isinstance(first.finish(old, output='"zombie"'), Failure)
    assert bench.history(run).count("finish:COMPLETED") == 1


def test_an_old_epoch_is_refused_also_on_the_same_worker(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    old = worker.take()
    worker.fan_out(old, "1", "child")
    worker.finish(worker.take())
    grant = worker.take()
    assert isinstance(worker.finish(old, output="1"), Failure)
    assert bench.state(run) == "EXECUTING"
    assert worker.finish(grant, output="2") == Done()


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "TIMED_OUT", "CANCELED"])
def test_the_same_end_said_again_is_done_once(bench: Bench, status: str) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    assert worker.finish(grant, status) == worker.finish(grant, status) == Done()
    assert bench.history(run) == ["trigger:QUEUED", "claim:EXECUTING", f"finish:{status}"]


def test_another_end_said_later_is_refused(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    worker.finish(grant, "FAILED")
    assert isinstance(worker.finish(grant, "COMPLETED"), Failure)
    assert bench.state(run) == "FAILED"


def test_a_retry_comes_back_at_its_time_as_the_next_attempt_and_holds_no_slot(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    assert worker.finish(grant, "DELAYED", retry_at=bench.clock.now() + 5_000, error="{}") == Done()
    assert bench.state(run) == "DELAYED"
    bench.pass_time(4)
    assert worker.claim() == []
    bench.pass_time(1)
    again = worker.take()
    assert (again.attempt, again.epoch) == (2, grant.epoch + 1)
    assert bench.history(run)[2:] == ["retry:DELAYED", "due:QUEUED", "claim:EXECUTING"]


def test_a_retry_said_again_spends_one_attempt(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    grant = worker.take()
    for _ in range(2):
        assert worker.finish(grant, "DELAYED", retry_at=bench.clock.now() + 5_000) == Done()
    bench.pass_time(5)
    assert worker.finish(grant, "DELAYED", retry_at=bench.clock.now() + 5_000) == Done()
    assert worker.take().attempt == 2


def test_a_retry_of_a_run_that_was_lost_is_refused(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    grant = worker.take()
    bench.engine.lose_worker(worker.id, "killed")
    assert isinstance(worker.finish(grant, "DELAYED", retry_at=bench.clock.now()), Failure)
    assert bench.worker().take().attempt == 1


def test_a_retry_of_a_run_that_was_cancelled_meanwhile_is_its_end(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    bench.engine.cancel(run)
    assert worker.finish(grant, "DELAYED", retry_at=bench.clock.now()) == Done()
    assert bench.state(run) == "CANCELED"
    assert worker.finish(grant, "DELAYED", retry_at=bench.clock.now()) == Done()


def test_a_status_that_is_no_end_is_refused(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    answer = worker.finish(worker.take(), "WAITING")
    assert isinstance(answer, Failure)
    assert "cannot end as 'WAITING'" in answer.message
