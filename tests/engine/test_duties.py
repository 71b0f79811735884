"""Hooks that are owed for a run that ended without its code: who gets them, and what becomes of them."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from tests.engine.bench import MORNING, Bench, Worker, new

from detent.model.manifest import QueueSpec
from detent.model.protocol import Done, DutyDone, Emit, Failure, Grant, LogLine, Release, Triggered
from detent.model.status import FINAL

ENDS = ("on_cancel", "on_failure", "on_complete")


def canceled(bench: Bench, worker: Worker, reason: str = "") -> Grant:
    """The duty of a run that was cancelled while it was queued."""
    run = bench.trigger()
    bench.engine.cancel(run, reason)
    grant = worker.take()
    assert grant.run_id == run
    return grant


def open_duties(bench: Bench) -> int:
    return bench.count("SELECT count(*) FROM duties")


def done(worker: Worker, grant: Grant) -> None:
    assert worker.say(DutyDone(grant.run_id, grant.epoch)) == [Done()]


def test_the_duty_of_a_cancelled_run_comes_ahead_of_runs_and_takes_no_slot_of_its_queue(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 1)], hooks=ENDS)
    bench.trigger(payload='{"n": 1}')
    gone = bench.trigger(payload='{"n": 2}', tags=["x"])
    bench.engine.cancel(gone, "enough")
    duty, run = worker.claim(5)
    assert (duty.run_id, duty.duty, duty.payload, duty.tags) == (gone, "CANCELED", '{"n": 2}', ("x",))
    assert json.loads(duty.error or "")["message"] == "enough"
    assert run.duty == ""
    done(worker, duty)
    assert open_duties(bench) == 0
    assert bench.history(gone) == ["trigger:QUEUED", "finish:CANCELED"]


@pytest.mark.parametrize(
    ("hooks", "owed"), [((), 0), (("on_failure",), 0), (("on_success", "on_cancel"), 1), (("on_complete",), 1)]
)
def test_only_a_task_with_hooks_for_such_an_end_owes_them(bench: Bench, hooks: tuple[str, ...], owed: int) -> None:
    bench.worker(hooks=hooks)
    bench.engine.cancel(bench.trigger())
    assert open_duties(bench) == owed


def expire(bench: Bench, worker: Worker) -> str:
    run = bench.trigger(ttl_ms=1_000)
    bench.pass_time(2)
    return run


def crash(bench: Bench, worker: Worker) -> str:
    run = bench.trigger()
    for _ in range(3):
        victim = bench.worker(hooks=ENDS)
        victim.take()
        bench.engine.lose_worker(victim.id, "killed")
    return run


def swallow_the_stop(bench: Bench, worker: Worker) -> str:
    run = bench.trigger()
    worker.take()
    bench.engine.cancel(run, "why")
    bench.pass_time(31)
    return run


def die_while_stopping(bench: Bench, worker: Worker) -> str:
    run = bench.trigger()
    victim = bench.worker(hooks=ENDS)
    victim.take()
    bench.engine.cancel(run, "why")
    bench.engine.lose_worker(victim.id, "killed")
    return run


def report_without_hooks(bench: Bench, worker: Worker) -> str:
    run = bench.trigger()
    worker.finish(worker.take(), "TIMED_OUT", unattended=True)
    return run


def fail_after_a_cancel(bench: Bench, worker: Worker) -> str:
    run = bench.trigger()
    grant = worker.take()
    bench.engine.cancel(run, "why")
    worker.finish(grant, "DELAYED", retry_at=bench.clock.now() + 1_000)
    return run


@pytest.mark.parametrize(
    ("end", "status", "reason"),
    [
        (expire, "EXPIRED", ""),
        (crash, "CRASHED", ""),
        (swallow_the_stop, "CANCELED", "why"),
        (die_while_stopping, "CANCELED", "why"),
        (report_without_hooks, "TIMED_OUT", ""),
        (fail_after_a_cancel, "CANCELED", "why"),
    ],
)
def test_every_end_without_hooks_owes_them_once(
    bench: Bench, end: Callable[[Bench, Worker], str], status: str, reason: str
) -> None:
    worker = bench.worker(hooks=ENDS)
    run = end(bench, worker)
    [duty] = worker.claim(9)
    assert (duty.run_id, duty.duty, duty.reason) == (run, status, reason)
    assert worker.claim(9) == []
    done(worker, duty)
    assert bench.state(run) == status


def test_a_run_whose_worker_ran_the_hooks_owes_none(bench: Bench) -> None:
    worker = bench.worker(hooks=ENDS)
    for status in sorted(FINAL):
        bench.trigger()
        assert worker.finish(worker.take(), status) == Done()
    assert open_duties(bench) == 0


def test_a_hungry_worker_is_rung_for_a_duty(bench: Bench) -> None:
    worker, other = bench.worker(hooks=ENDS), bench.worker("other", hooks=ENDS)
    run = bench.trigger(run_at=bench.clock.now() + 5_000)
    assert worker.claim() == other.claim() == []
    bench.engine.cancel(run)
    assert (worker.rung(), other.rung()) == (True, False)


def test_a_worker_gets_duties_of_its_own_tasks_and_kinds_only(bench: Bench) -> None:
    worker = bench.worker("work", "plain", sync=["plain"], hooks=ENDS)
    other = bench.worker("other", hooks=ENDS)
    runs = {task: bench.trigger(task) for task in ("work", "plain", "other")}
    for run in runs.values():
        bench.engine.cancel(run)
    assert [grant.run_id for grant in worker.claim(9)] == [runs["work"]]
    assert [grant.run_id for grant in worker.claim(0, sync=9)] == [runs["plain"]]
    assert [grant.run_id for grant in other.claim(9)] == [runs["other"]]


def test_a_duty_needs_no_room_in_the_environment(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(env_limit=1)
    worker = bench.worker(hooks=ENDS)
    bench.trigger()
    worker.take()
    canceled(bench, worker)
    bench.trigger()
    assert worker.claim() == []


def test_a_duty_goes_on_elsewhere_when_its_worker_is_lost_and_is_dropped_after_three(bench: Bench) -> None:
    last = bench.worker(hooks=ENDS)
    run = bench.trigger()
    bench.engine.cancel(run)
    epochs = []
    for n in range(3):
        victim = bench.worker(hooks=ENDS)
        grant = victim.take()
        epochs.append(grant.epoch)
        bench.engine.lose_worker(victim.id, "killed")
        assert open_duties(bench) == (n < 2)
    assert epochs == sorted(set(epochs))
    assert last.claim() == []
    assert bench.history(run)[-1] == "hooks_lost:CANCELED"
    assert bench.state(run) == "CANCELED"


@pytest.mark.parametrize("how", ["released", "stopped", "reconnected"])
def test_a_duty_that_is_handed_back_counts_no_try(bench: Bench, how: str) -> None:
    worker, other = bench.worker(hooks=ENDS), bench.worker(hooks=ENDS)
    grant = canceled(bench, worker)
    if how == "released":
        worker.release(grant)
    elif how == "stopped":
        bench.engine.lose_worker(worker.id, "asked to", stopped=True)
    else:
        worker.hello(again=True)
    again = other.take()
    assert again.run_id == grant.run_id
    assert again.epoch > grant.epoch
    assert bench.count("SELECT tries FROM duties") == 0


def test_a_worker_that_comes_back_keeps_the_duties_that_it_holds(bench: Bench) -> None:
    worker = bench.worker(hooks=ENDS)
    grant = canceled(bench, worker)
    worker.hello(again=True, holds=[(grant.run_id, grant.epoch)])
    assert worker.claim() == []
    done(worker, grant)
    assert open_duties(bench) == 0


def test_a_worker_that_lost_a_duty_can_neither_end_it_nor_write(bench: Bench) -> None:
    worker, other = bench.worker(hooks=ENDS), bench.worker(hooks=ENDS)
    before = canceled(bench, worker)
    worker.say(Release([(before.run_id, before.epoch)], draining=False))
    after = other.take()
    done(worker, before)
    [emitted] = worker.say(Emit(before.run_id, before.epoch))
    assert isinstance(emitted, Failure)
    assert isinstance(worker.trigger(before, "1", "work"), Failure)
    assert open_duties(bench) == 1
    assert other.say(Emit(after.run_id, after.epoch, tags=["seen"])) == [Done()]
    assert bench.row(after.run_id)["tags"] == '["seen"]'


def test_the_frame_of_a_run_that_was_ended_cannot_speak_for_its_duty(bench: Bench) -> None:
    """Given a run that swallowed the stop, when the same worker has its duty, its old epoch writes nothing."""
    worker = bench.worker(hooks=ENDS)
    bench.trigger()
    old = worker.take()
    bench.engine.cancel(old.run_id)
    bench.pass_time(31)
    duty = worker.take()
    assert duty.duty
    assert duty.epoch > old.epoch
    [emitted] = worker.say(Emit(old.run_id, old.epoch, logs=[LogLine(MORNING, "info", "late", None, None, "user")]))
    assert isinstance(emitted, Failure)
    assert isinstance(worker.trigger(old, "1", "work"), Failure)
    done(worker, old)
    assert open_duties(bench) == 1


def test_hooks_that_trigger_find_their_runs_when_they_are_repeated(bench: Bench) -> None:
    worker, other = bench.worker("work", "alert", hooks=ENDS), bench.worker("work", "alert", hooks=ENDS)
    grant = canceled(bench, worker)
    first = worker.trigger(grant, "trigger#1", "alert", "alert")
    assert isinstance(first, Triggered)
    bench.engine.lose_worker(worker.id, "killed")
    again = next(duty for duty in other.claim(9) if duty.duty)
    second = other.trigger(again, "trigger#1", "alert", "alert")
    assert second == first
    third = other.trigger(again, "trigger#2", "alert", new("alert"))
    assert isinstance(third, Triggered)
    assert bench.count("SELECT count(*) FROM runs WHERE task = 'alert'") == 4
    assert {bench.row(handle.id)["parent_id"] for handle in first.handles} == {grant.run_id}
    assert bench.count("SELECT count(*) FROM journal") == 0


def test_hooks_that_are_repeated_find_what_an_idempotency_key_found(bench: Bench) -> None:
    worker = bench.worker("work", "alert", hooks=ENDS)
    present = bench.trigger("alert", idempotency_key="k")
    worker.take()
    grant = canceled(bench, worker)
    for _ in range(2):
        answer = worker.trigger(grant, "trigger#1", new("alert", idempotency_key="k"))
        assert [(handle.id, handle.cached) for handle in answer.handles] == [(present, True)]


def test_hooks_of_a_run_that_has_ended_cannot_wait(bench: Bench) -> None:
    worker = bench.worker(hooks=ENDS)
    grant = canceled(bench, worker)
    answer = worker.trigger(grant, "trigger#1", "work", wait=True)
    assert isinstance(answer, Failure)
    assert (answer.code, "cannot wait" in answer.message) == ("not_in_run", True)
    assert bench.count("SELECT count(*) FROM runs") == 1


def test_a_duty_that_no_worker_takes_is_given_up_after_a_week(bench: Bench) -> None:
    worker = bench.worker(hooks=ENDS)
    run = bench.trigger()
    bench.engine.cancel(run)
    worker.release()
    bench.clock.forward(6 * 24 * 3600)
    bench.engine.tidy()
    assert open_duties(bench) == 1
    bench.clock.forward(2 * 24 * 3600)
    bench.engine.tidy()
    assert open_duties(bench) == 0
    assert bench.history(run)[-1] == "hooks_lost:CANCELED"


def test_the_dead_get_no_duty(bench: Bench) -> None:
    worker = bench.worker(hooks=ENDS)
    bench.engine.cancel(bench.trigger())
    session = worker.session
    bench.engine.lose_worker(worker.id, "killed")
    worker.session = session
    assert bench.count("SELECT count(*) FROM duties WHERE worker_id IS NULL") == 1
    with pytest.raises(AssertionError, match="given up"):
        worker.claim()
