from __future__ import annotations

from tests.engine.bench import Bench, new

from detent.model.protocol import Beat, Claim, Claimed, Done, Failure, Finish, Grant, Trigger, Triggered


def test_the_answers_of_a_frame_are_in_its_order_whatever_is_done_first(bench: Bench) -> None:
    """Given a frame that claims, finishes, beats and finishes, when finishes are done together and before the claim,
    then each answer stands where its request does."""
    worker = bench.worker()
    bench.trigger_all([new() for _ in range(4)])
    a, b, c, d = worker.claim(4)
    bench.trigger()

    answers = worker.say(
        Claim(sync=0, async_=2), finish(a), finish(b), Beat(), finish(c), Finish(d.run_id, 99, "COMPLETED")
    )

    assert isinstance(answers[0], Claimed)
    assert len(answers[0].grants) == 1
    assert answers[1:5] == [Done(), Done(), Done(), Done()]
    assert isinstance(answers[5], Failure)
    assert answers[5].code == "lease_lost"


def test_a_run_that_is_said_to_end_twice_in_one_frame_ends_once(bench: Bench) -> None:
    worker = bench.worker()
    run_id = bench.trigger()
    grant = worker.take()
    first, again, other = worker.say(finish(grant), finish(grant), Finish(grant.run_id, grant.epoch, "FAILED"))
    assert (first, again) == (Done(), Done())
    assert isinstance(other, Failure)
    assert bench.history(run_id).count("finish:COMPLETED") == 1


def test_children_that_end_together_wake_their_parent_once(bench: Bench) -> None:
    worker = bench.worker("work", "child")
    parent = bench.trigger()
    grant = worker.take()
    worker.fan_out(grant, "key", "child", "child", "child")
    children = worker.claim(9)
    assert worker.say(*[finish(child) for child in children]) == [Done()] * 3
    assert bench.history(parent).count("resume:QUEUED") == 1
    assert [grant.run_id for grant in worker.claim(9)] == [parent]


def test_a_place_in_a_limited_queue_that_is_freed_by_the_frame_is_claimed_by_it(bench: Bench) -> None:
    """The claim stands before the end in the frame, and finds the place that the end frees."""
    bench.set_limit("task/work", 1)
    worker = bench.worker()
    bench.trigger_all([new(), new()])
    grant = worker.take()
    claimed, done = worker.say(Claim(sync=0, async_=1), finish(grant))
    assert done == Done()
    assert isinstance(claimed, Claimed)
    assert len(claimed.grants) == (1 if bench.url else 0)


def finish(grant: Grant) -> Finish:
    return Finish(grant.run_id, grant.epoch, "COMPLETED")


def test_a_run_that_is_claimed_by_the_frame_that_makes_it_rings_nobody(bench: Bench) -> None:
    worker = bench.worker("work", "child")
    idle = bench.worker("work", "child")
    bench.trigger()
    grant = worker.take()
    assert idle.claim(5) == []
    worker.rung()

    made, claimed = worker.say(Trigger(grant.run_id, grant.epoch, "key", [new("child")]), Claim(sync=0, async_=5))

    assert isinstance(made, Triggered)
    assert isinstance(claimed, Claimed)
    assert [one.run_id for one in claimed.grants] == [made.handles[0].id]
    assert (idle.rung(), worker.rung()) == (False, False)
    worker.trigger(grant, "other", "child")
    assert idle.rung() or worker.rung()
