from __future__ import annotations

import pytest
from tests.engine.bench import Bench, new

from detent.errors import InvalidOptions, TaskNotFound
from detent.model.manifest import QueueSpec
from detent.model.protocol import Done, Failure, Handle, Triggered


def test_a_run_sent_twice_is_made_once(bench: Bench) -> None:
    run = new(known=True)
    assert bench.trigger_all([run]) == bench.trigger_all([run, run])[:1] == [Handle(run.id)]
    assert bench.count("SELECT count(*) FROM runs") == 1
    assert bench.history(run.id) == ["trigger:QUEUED"]


def test_the_same_id_twice_in_one_call_is_made_once(bench: Bench) -> None:
    run = new(known=True)
    assert [handle.id for handle in bench.trigger_all([run, run])] == [run.id, run.id]
    assert bench.count("SELECT count(*) FROM runs") == 1


def test_one_bad_run_keeps_the_whole_call_from_being_made(bench: Bench) -> None:
    bench.worker("work")
    with pytest.raises(TaskNotFound):
        bench.trigger_all([new("work"), new("absent")])
    assert bench.count("SELECT count(*) FROM runs") == 0


def test_an_idempotency_key_finds_the_first_run(bench: Bench) -> None:
    bench.worker("work", "other")
    first = bench.trigger(idempotency_key="k")
    assert bench.trigger_all([new(idempotency_key="k")]) == [Handle(first, cached=True)]
    assert bench.trigger("other", idempotency_key="k") != first


def test_an_idempotency_key_twice_in_one_batch_makes_one_run(bench: Bench) -> None:
    bench.worker()
    one, two = bench.trigger_all([new(idempotency_key="k"), new(idempotency_key="k")])
    assert two == Handle(one.id, cached=True)


@pytest.mark.parametrize("status", ["COMPLETED", "CANCELED"])
def test_runs_that_completed_or_were_canceled_keep_their_key(bench: Bench, status: str) -> None:
    worker = bench.worker()
    first = bench.trigger(idempotency_key="k")
    worker.finish(worker.take(), status)
    assert bench.trigger(idempotency_key="k") == first


@pytest.mark.parametrize("status", ["FAILED", "TIMED_OUT", "CRASHED", "SYSTEM_FAILURE"])
def test_runs_that_failed_release_their_key(bench: Bench, status: str) -> None:
    worker = bench.worker()
    first = bench.trigger(idempotency_key="k")
    worker.finish(worker.take(), status)
    second = bench.trigger(idempotency_key="k")
    assert second != first
    assert bench.trigger(idempotency_key="k") == second


def test_an_expired_run_releases_its_key(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger(idempotency_key="k", ttl_ms=1000)
    bench.pass_time(2)
    assert bench.state(first) == "EXPIRED"
    assert bench.trigger(idempotency_key="k") != first


def test_a_key_is_free_again_after_its_time_and_an_old_failure_does_not_release_the_new_holder(
    bench: Bench,
) -> None:
    worker = bench.worker()
    first = bench.trigger(idempotency_key="k", idempotency_ttl_ms=60_000)
    grant = worker.take()
    bench.pass_time(59)
    assert bench.trigger(idempotency_key="k") == first
    bench.pass_time(2)
    second = bench.trigger(idempotency_key="k", idempotency_ttl_ms=60_000)
    assert second != first
    worker.finish(grant, "FAILED")
    assert bench.trigger(idempotency_key="k") == second


def test_a_delayed_run_is_claimable_when_its_time_has_come_and_not_before(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger(run_at=bench.clock.now() + 10_000)
    assert bench.state(run) == "DELAYED"
    bench.pass_time(9.999)
    assert worker.claim() == []
    bench.pass_time(0.001)
    assert worker.take().run_id == run
    assert bench.history(run) == ["trigger:DELAYED", "due:QUEUED", "claim:EXECUTING"]


def test_the_ttl_counts_after_the_delay(bench: Bench) -> None:
    bench.worker()
    run = bench.trigger(run_at=bench.clock.now() + 60_000, ttl_ms=10_000)
    bench.pass_time(60)
    bench.pass_time(9.9)
    assert bench.state(run) == "QUEUED"
    bench.pass_time(0.1)
    assert bench.state(run) == "EXPIRED"
    assert bench.error(run)["code"] == "expired"


def test_priority_is_an_offset_in_seconds(bench: Bench) -> None:
    worker = bench.worker()
    old = bench.trigger()
    bench.clock.forward(10)
    late, urgent, most_urgent = bench.trigger(), bench.trigger(priority=9), bench.trigger(priority=11)
    assert worker.work_off(1) == [most_urgent, old, urgent, late]


def test_tags_and_metadata_come_with_the_claim(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger(tags=["a", "b"], metadata='{"k":1}', payload='{"x":2}')
    grant = worker.take()
    assert (grant.tags, grant.metadata, grant.payload) == (("a", "b"), '{"k":1}', '{"x":2}')


def test_a_queue_given_with_its_limit_is_created_and_holds(bench: Bench) -> None:
    worker = bench.worker()
    for _ in range(3):
        bench.trigger(queue="narrow", queue_limit=1)
    assert len(worker.claim(5)) == 1


def test_an_unknown_queue_is_refused_with_near_names_while_a_worker_is_connected(bench: Bench) -> None:
    bench.worker("work@emails", queues=[QueueSpec("emails", 3)])
    with pytest.raises(InvalidOptions, match="did you mean 'emails'"):
        bench.trigger(queue="email", queue_given=True)


def test_an_unknown_task_is_refused_with_near_names_while_a_worker_is_connected(bench: Bench) -> None:
    bench.worker("summarize", "translate")
    with pytest.raises(TaskNotFound, match="did you mean 'summarize'"):
        bench.trigger("sumarize")


def test_an_unknown_task_waits_for_a_version_while_no_worker_is_there(bench: Bench) -> None:
    run = bench.trigger("later")
    assert bench.state(run) == "PENDING_VERSION"
    worker = bench.worker("later@slow")
    assert worker.take().queue == "slow"
    assert bench.history(run) == ["trigger:PENDING_VERSION", "version_found:QUEUED", "claim:EXECUTING"]


def test_a_delay_and_a_ttl_hold_also_for_a_run_that_waited_for_its_version(bench: Bench) -> None:
    run = bench.trigger("later", run_at=bench.clock.now() + 60_000, ttl_ms=5_000)
    short = bench.trigger("later", ttl_ms=5_000)
    bench.pass_time(10)
    worker = bench.worker("later")
    assert (bench.state(run), bench.state(short)) == ("DELAYED", "QUEUED")
    assert worker.take().run_id == short
    bench.pass_time(50)
    assert bench.state(run) == "QUEUED"
    bench.pass_time(5)
    assert bench.state(run) == "EXPIRED"


def test_a_task_whose_worker_is_away_is_queued_though_another_worker_is_connected(bench: Bench) -> None:
    """Given two workers with tasks of their own, when one is away, then its tasks are still known."""
    first = bench.worker("cpu")
    second = bench.worker("gpu")
    assert bench.state(bench.trigger("cpu")) == "QUEUED"
    bench.engine.disconnect(second.session)
    assert bench.state(bench.trigger("gpu")) == "QUEUED"
    assert [grant.task for grant in first.claim(5)] == ["cpu"]


def test_a_task_that_was_renamed_is_unknown_once_the_new_worker_is_there(bench: Bench) -> None:
    old = bench.worker("before")
    old.release()
    bench.worker("after")
    with pytest.raises(TaskNotFound):
        bench.trigger("before")


def test_children_know_their_parent_root_and_batch(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    top = bench.trigger("parent")
    grant = worker.take()
    [child] = worker.fan_out(grant, "1", new("child", batch_id="batch_1"))
    [leaf] = worker.fan_out(worker.take(), "1", "child")
    assert (bench.row(child)["parent_id"], bench.row(child)["root_id"]) == (top, top)
    assert bench.row(child)["batch_id"] == "batch_1"
    assert (bench.row(leaf)["parent_id"], bench.row(leaf)["root_id"]) == (child, top)


def test_the_same_trigger_said_again_makes_nothing_twice(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = worker.take()
    first = worker.trigger(grant, "1", "child", "child")
    again = worker.trigger(grant, "1", "child", "child")
    assert isinstance(first, Triggered)
    assert first == again
    assert bench.count("SELECT count(*) FROM runs") == 3


def test_a_trigger_that_parked_said_again_is_answered_the_same(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    grant = worker.take()
    first = worker.trigger(grant, "1", "child", park=True)
    assert worker.trigger(grant, "1", "child", park=True) == first
    assert bench.history(run).count("park:WAITING") == 1
    worker.finish(worker.take())
    assert worker.trigger(grant, "1", "child", park=True) == first, "also when it is queued again"


def test_a_parent_that_runs_again_after_a_crash_finds_its_children(bench: Bench) -> None:
    first = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = first.take()
    before = first.trigger(grant, "1", "child", "child")
    bench.engine.lose_worker(first.id, "killed")
    second = bench.worker("parent", "child")
    again = next(grant for grant in second.claim(9) if grant.task == "parent")
    assert again.epoch == grant.epoch + 1
    assert second.trigger(again, "1", "child", "child").handles == before.handles
    assert bench.count("SELECT count(*) FROM runs") == 3


def test_a_zombie_parent_triggers_nothing(bench: Bench) -> None:
    first = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = first.take()
    bench.engine.lose_worker(first.id, "killed")
    answer = first.trigger(grant, "1", "child", wait=True)
    assert isinstance(answer, Failure)
    assert answer.code == "lease_lost"
    assert bench.count("SELECT count(*) FROM runs") == 1


def test_in_a_later_attempt_what_failed_is_made_again_and_what_completed_stands(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    worker.fan_out(worker.take(), "1", "child", "child")
    good, bad = worker.claim(2)
    worker.finish(good, output="1")
    worker.finish(bad, "FAILED")
    parent = worker.take()
    assert [run.status for run in parent.results[0].runs] == ["COMPLETED", "FAILED"]
    worker.finish(parent, "DELAYED", retry_at=bench.clock.now())
    bench.pass_time(0)
    parent = worker.take()
    assert parent.attempt == 2
    ids = worker.fan_out(parent, "1", "child", "child")
    assert ids[0] == good.run_id
    assert ids[1] != bad.run_id
    worker.finish(worker.take(), output="2")
    [result] = worker.take().results
    assert [(run.id, run.output) for run in result.runs] == [(ids[0], "1"), (ids[1], "2")]


def test_a_child_of_an_earlier_attempt_that_fails_in_this_one_is_not_made_again_by_a_replay(
    bench: Bench,
) -> None:
    """Given attempt 2 that waits for a child of attempt 1, when it crashes after the child failed, then it
    finds it."""
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    parent = worker.take()
    [child] = [handle.id for handle in worker.trigger(parent, "1", "child").handles]
    worker.finish(parent, "DELAYED", retry_at=bench.clock.now())
    bench.pass_time(0)
    running, parent = sorted(worker.claim(2), key=lambda grant: grant.task)
    assert worker.fan_out(parent, "1", "child") == [child]
    worker.finish(running, "FAILED")
    parent = worker.take()
    bench.engine.lose_worker(worker.id, "killed")
    second = bench.worker("parent", "child")
    answer = second.trigger(second.take(), "1", "child", park=True)
    assert [handle.id for handle in answer.handles] == [child]
    assert answer.result.runs[0].status == "FAILED"


def test_a_later_attempt_that_goes_another_way_gets_what_it_asks_for(bench: Bench) -> None:
    worker = bench.worker("parent", "child", "other")
    bench.trigger("parent")
    worker.fan_out(worker.take(), "1", "child", "child")
    for grant in worker.claim(2):
        worker.finish(grant)
    worker.finish(worker.take(), "DELAYED", retry_at=bench.clock.now())
    bench.pass_time(0)
    worker.fan_out(worker.take(), "1", "other")
    child = worker.take()
    assert child.task == "other"
    worker.finish(child)
    [result] = worker.take().results
    assert [run.task for run in result.runs] == ["other"]


@pytest.mark.parametrize("tasks", [("other",), ("child", "child"), ()])
def test_another_way_in_the_same_attempt_is_a_mismatch_that_says_what_was_expected(
    bench: Bench, tasks: tuple[str, ...]
) -> None:
    worker = bench.worker("parent", "child", "other")
    bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", "child")
    answer = worker.trigger(grant, "1", *tasks)
    assert isinstance(answer, Failure)
    assert answer.code == "journal_mismatch"
    assert "recorded was trigger of 1 x child" in answer.message


def test_a_child_that_is_not_waited_for_leaves_its_parent_alone(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = worker.take()
    assert worker.trigger(grant, "1", "child").result is None
    worker.work_off()
    assert worker.finish(grant) == Done()
