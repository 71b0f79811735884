from __future__ import annotations

from tests.engine.bench import Bench, new

from detent.model.manifest import QueueSpec
from detent.model.protocol import Done, EvictPush, Parked, Pause, SatisfiedPush, Watch


def test_a_parked_run_holds_no_slot_and_goes_on_with_the_result(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    grant = worker.take()
    [child] = worker.fan_out(grant, "1", "child")
    assert bench.state(run) == "WAITING"
    worker.finish(worker.take(), output="42")
    again = worker.take()
    assert (again.run_id, again.epoch, again.resumed) == (run, grant.epoch + 1, True)
    [result] = again.results
    assert (result.key, [(r.id, r.output) for r in result.runs]) == ("1", [(child, "42")])
    assert worker.finish(again) == Done()
    assert bench.history(run) == [
        "trigger:QUEUED",
        "claim:EXECUTING",
        "park:WAITING",
        "resume:QUEUED",
        "claim:EXECUTING",
        "finish:COMPLETED",
    ]


def test_a_parent_and_its_child_on_one_queue_of_limit_one_do_not_deadlock(bench: Bench) -> None:
    worker = bench.worker("parent@one", "child@one", queues=[QueueSpec("one", 1)])
    run = bench.trigger("parent")
    for depth in range(10):
        worker.fan_out(worker.take(), f"{depth}", "child")
    assert worker.work_off(1)
    assert bench.state(run) == "COMPLETED"


def test_a_batch_resumes_its_parent_once_when_all_have_ended_in_the_order_of_the_call(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    children = worker.fan_out(worker.take(), "1", *["child"] * 20)
    grants = worker.claim(20)
    for grant in reversed(grants[1:]):
        worker.finish(grant)
        assert bench.state(run) == "WAITING"
    worker.finish(grants[0], "FAILED")
    [result] = worker.take().results
    assert [r.id for r in result.runs] == children
    assert bench.history(run).count("resume:QUEUED") == 1


def test_a_wait_for_children_that_are_partly_done_counts_only_the_others(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    done = bench.trigger("child", idempotency_key="k")
    worker.work_off()
    running = bench.trigger("child", idempotency_key="r")
    held = worker.take()
    run = bench.trigger("parent")
    children = worker.fan_out(
        worker.take(), "1", new("child", idempotency_key="k"), new("child", idempotency_key="r"), "child"
    )
    assert children[:2] == [done, running]
    worker.finish(worker.take())
    assert bench.state(run) == "WAITING"
    worker.finish(held)
    assert [r.id for r in worker.take().results[0].runs] == children


def test_a_wait_for_children_that_are_all_done_is_answered_at_once(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("child", idempotency_key="k")
    worker.work_off()
    run = bench.trigger("parent")
    answer = worker.trigger(worker.take(), "1", new("child", idempotency_key="k"), park=True)
    assert not answer.parked
    assert answer.result.runs[0].status == "COMPLETED"
    assert bench.state(run) == "EXECUTING"


def test_one_child_waited_for_twice_in_a_batch_counts_for_both(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    pair = [new("child", idempotency_key="k"), new("child", idempotency_key="k")]
    one, two = worker.fan_out(worker.take(), "1", *pair)
    assert one == two
    worker.finish(worker.take())
    assert bench.state(run) == "QUEUED"


def test_a_wait_satisfied_before_the_park_is_pushed_and_the_park_is_refused(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", "child", wait=True)
    worker.finish(worker.take(), output="7")
    [push] = worker.heard(SatisfiedPush)
    assert (push.run_id, push.epoch, push.result.key) == (grant.run_id, grant.epoch, "1")
    answer = worker.park(grant, "1")
    assert not answer.parked
    assert [r.output for r in answer.results[0].runs] == ["7"]


def test_any_of_several_waits_resumes_and_the_others_stay(bench: Bench) -> None:
    worker = bench.worker("parent", "a", "b")
    run = bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", "a", wait=True)
    worker.trigger(grant, "2", "b", wait=True)
    assert worker.park(grant, "1", "2") == Parked(True)
    a, b = sorted(worker.claim(2), key=lambda grant: grant.task)
    worker.finish(b)
    grant = worker.take()
    assert [wait.key for wait in grant.results] == ["2"]
    assert worker.park(grant, "1") == Parked(True)
    worker.finish(a)
    grant = worker.take()
    assert [wait.key for wait in grant.results] == ["1"]
    worker.finish(grant)
    assert bench.state(run) == "COMPLETED"
    assert bench.count("SELECT count(*) FROM waits") == 0


def test_waits_that_are_satisfied_while_the_run_is_queued_come_together(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", "child", wait=True)
    worker.trigger(grant, "2", "child", wait=True)
    worker.park(grant, "1", "2")
    for child in worker.claim(2):
        worker.finish(child)
    assert [wait.key for wait in worker.take().results] == ["1", "2"]


def test_a_park_said_again_is_answered_the_same(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", "child", wait=True)
    assert worker.park(grant, "1") == worker.park(grant, "1") == Parked(True)
    assert bench.history(run).count("park:WAITING") == 1


def test_a_lost_push_is_asked_for_again_with_watch(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = worker.take()
    worker.trigger(grant, "1", "child", wait=True)
    watch = Watch(grant.run_id, grant.epoch, "1")
    assert worker.say(watch) == [Parked(False)]
    worker.finish(worker.take())
    worker.pushes.clear()
    [answer] = worker.say(watch)
    assert [r.status for r in answer.results[0].runs] == ["COMPLETED"]


def test_a_chain_of_two_hundred_waits_ends(bench: Bench) -> None:
    worker = bench.worker("work")
    run = bench.trigger()
    for depth in range(200):
        worker.fan_out(worker.take(), f"{depth}", "work")
    assert len(worker.work_off(1)) == 201
    assert bench.state(run) == "COMPLETED"


def test_a_resumed_run_goes_ahead_of_new_ones(bench: Bench) -> None:
    worker = bench.worker("parent@q", "child@q", "new@q")
    run = bench.trigger("parent")
    worker.fan_out(worker.take(), "1", "child")
    child = worker.take()
    bench.trigger("new", priority=1_000_000)
    worker.finish(child)
    assert worker.take().run_id == run


def test_a_resumed_run_is_kept_for_the_worker_that_holds_it_for_a_while(bench: Bench) -> None:
    first = bench.worker("parent", "child")
    second = bench.worker("parent", "child")
    run = bench.trigger("parent")
    first.fan_out(first.take(), "1", "child")
    second.finish(second.take())
    assert second.claim(5) == []
    second.pushes.clear()
    bench.pass_time(10)
    assert second.rung(), "the others are asked when the time is over"
    grant = second.take()
    assert (grant.run_id, grant.resumed) == (run, False)
    assert first.heard(EvictPush) == [EvictPush(run)]
    assert [wait.key for wait in grant.results] == ["1"]


def test_the_worker_that_holds_it_may_still_take_it_later(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    worker.fan_out(worker.take(), "1", "child")
    worker.finish(worker.take())
    bench.pass_time(60)
    assert worker.take().resumed


def test_a_run_that_parks_on_a_worker_about_to_stop_is_for_anyone(bench: Bench) -> None:
    first = bench.worker("parent", "child")
    second = bench.worker("parent", "child")
    run = bench.trigger("parent")
    grant = first.take()
    first.release()
    first.fan_out(grant, "1", "child")
    second.finish(second.take())
    assert second.take().run_id == run


def test_a_clock_that_went_back_gives_no_run_more_time(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent")
    grant = worker.take()
    bench.clock.forward(-3600)
    worker.fan_out(grant, "1", "child")
    assert bench.row(run)["used_ms"] == 0


def test_a_pause_of_a_run_that_is_to_stop_ends_it_however_often_it_is_said(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    grant = worker.take()
    bench.engine.cancel(run)
    pause = Pause(run, grant.epoch, "step#0", "x", "y", "it went another way")
    assert worker.say(pause, pause) == [Done(), Done()]
    assert bench.state(run) == "CANCELED"
