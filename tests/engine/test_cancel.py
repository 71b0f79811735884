from __future__ import annotations

import pytest
from tests.engine.bench import Bench, new

from detent.errors import Conflict, NotFound
from detent.model.protocol import CancelPush, Done, EvictPush, Failure, Parked


def test_a_queued_and_a_delayed_run_end_at_once(bench: Bench) -> None:
    worker = bench.worker()
    queued, delayed = bench.trigger(), bench.trigger(run_at=bench.clock.now() + 5_000)
    assert bench.engine.cancel(queued, "not wanted") == bench.engine.cancel(delayed) == "CANCELED"
    bench.pass_time(10)
    assert worker.claim(5) == []
    assert bench.error(queued)["message"] == "not wanted"
    assert bench.history(delayed) == ["trigger:DELAYED", "finish:CANCELED"]


def test_a_waiting_run_takes_its_children_and_theirs_with_it(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    children = worker.fan_out(worker.take(), "1", "child", "child")
    grant = worker.take()
    [grandchild] = worker.fan_out(grant, "1", "child")
    assert bench.engine.cancel(run) == "CANCELED"
    assert {bench.state(member) for member in [run, *children, grandchild]} == {"CANCELED"}
    assert {push.run_id for push in worker.heard(EvictPush)} == {run, grant.run_id}
    assert bench.count("SELECT count(*) FROM waits") == 0
    assert worker.claim(9) == []


def test_a_member_that_is_resumed_by_the_end_of_another_is_cancelled_too(bench: Bench) -> None:
    """Given two children of which the second waits for the first, when their parent is cancelled, all end."""
    worker = bench.worker("parent", "a", "b")
    run = bench.trigger("parent")
    shared = new("b", idempotency_key="shared")
    first, second = worker.fan_out(worker.take(), "1", shared, "a")
    a = next(grant for grant in worker.claim(2) if grant.run_id == second)
    worker.fan_out(a, "1", new("b", idempotency_key="shared"))
    worker.release()
    bench.engine.lose_worker(worker.id, "killed")
    assert (bench.state(first), bench.state(second)) == ("QUEUED", "WAITING")
    bench.engine.cancel(run)
    assert [bench.state(member) for member in (run, first, second)] == ["CANCELED"] * 3


def test_an_executing_run_is_told_to_stop_and_ends_by_its_own_word(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    assert bench.engine.cancel(run, "enough") == "EXECUTING"
    assert worker.heard(CancelPush) == [CancelPush(run, grant.epoch, "enough")]
    assert worker.finish(grant, "CANCELED") == Done()
    assert bench.history(run)[2:] == ["cancel_requested:EXECUTING", "finish:CANCELED"]


def test_a_second_cancel_changes_nothing(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    worker.take()
    bench.engine.cancel(run)
    bench.engine.cancel(run)
    assert bench.history(run).count("cancel_requested:EXECUTING") == 1
    bench.pass_time(31)
    assert bench.engine.cancel(run) == "CANCELED"


def test_a_run_that_does_not_stop_is_ended_after_the_grace_and_its_worker_shut_out(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    bench.engine.cancel(run)
    bench.pass_time(29.9)
    assert bench.state(run) == "EXECUTING"
    bench.pass_time(0.2)
    assert bench.state(run) == "CANCELED"
    assert isinstance(worker.finish(grant), Failure)
    assert bench.state(run) == "CANCELED"


def test_a_completion_before_the_stop_wins(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    bench.engine.cancel(run)
    assert worker.finish(grant) == Done()
    bench.pass_time(60)
    assert bench.state(run) == "COMPLETED"


def test_a_run_that_is_to_stop_does_not_park(bench: Bench) -> None:
    """Given a cancel that crosses a park on its way, then the run is still stopped and does not wait for
    ever."""
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", "child", wait=True)
    bench.engine.cancel(run)
    bench.trigger("child", idempotency_key="x")
    assert not worker.trigger(grant, "2", new("child", idempotency_key="x"), park=True).parked
    assert worker.park(grant, "2") == Parked(False)
    bench.pass_time(31)
    assert bench.state(run) == "CANCELED"
    assert bench.count("SELECT count(*) FROM waits") == 0


def test_a_cancelled_run_whose_worker_dies_or_stops_has_ended(bench: Bench) -> None:
    for end in ("dies", "stops"):
        worker = bench.worker()
        run = bench.trigger()
        grant = worker.take()
        bench.engine.cancel(run)
        if end == "dies":
            bench.engine.lose_worker(worker.id, "killed")
        else:
            worker.release(grant)
        assert bench.state(run) == "CANCELED"


def test_the_parent_of_a_cancelled_child_goes_on_with_that_result(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    [child] = worker.fan_out(worker.take(), "1", "child")
    bench.engine.cancel(child)
    assert worker.take().results[0].runs[0].status == "CANCELED"


def test_what_is_not_there_or_has_ended_otherwise_says_so(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    worker.work_off()
    with pytest.raises(Conflict, match=r"has ended already \(COMPLETED\)"):
        bench.engine.cancel(run)
    with pytest.raises(NotFound, match="no run 'run_x'"):
        bench.engine.cancel("run_x")
