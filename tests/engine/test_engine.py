"""Whatever goes wrong while a frame is handled, each of its requests has its answer."""

from __future__ import annotations

from contextlib import ExitStack
from threading import Event

from tests.engine.bench import Bench

from detent.engine.cancel import cancel_run
from detent.engine.scene import Scene
from detent.model.protocol import Beat, CancelPush, Claim, Claimed, Done, Failure, Finish, Push, Watch


def test_a_request_that_fails_in_an_unforeseen_way_is_answered_and_harms_no_other(bench: Bench) -> None:
    worker = bench.worker()
    first, second = bench.trigger(), bench.trigger()
    bad, good = worker.claim(2)

    answers = worker.say(
        Finish(good.run_id, good.epoch, "COMPLETED", output="1"),
        Finish(bad.run_id, bad.epoch, "COMPLETED", output='"\ud800"'),
        Watch(bad.run_id, bad.epoch, "no such key"),
        Claim(async_=1),
        Beat(),
    )

    assert len(answers) == 5
    assert answers[0] == Done()
    assert isinstance(answers[1], Failure)
    assert answers[1].code == "engine_error"
    assert "surrogates not allowed" in answers[1].message
    assert answers[3:] == [Claimed(), Done()]
    assert sorted(bench.state(run_id) for run_id in (first, second)) == ["COMPLETED", "EXECUTING"]
    assert bench.history(bad.run_id) == ["trigger:QUEUED", "claim:EXECUTING"]


def test_a_connection_that_fails_keeps_no_other_worker_from_being_told(bench: Bench) -> None:
    def broken(_push: Push) -> None:
        raise RuntimeError("the connection is in pieces")

    holder, other = bench.worker("parent"), bench.worker("child")
    parent = bench.trigger("parent")
    holder.trigger(holder.take(), "1", "child")
    child = other.take()
    holder.session.send = broken

    bench.engine.cancel(parent)

    assert other.heard(CancelPush) == [CancelPush(child.run_id, child.epoch, "")]


def test_who_begins_to_wait_for_a_run_while_its_end_is_being_committed_hears_of_it(bench: Bench) -> None:
    """Given a run whose end is written and not committed, when somebody begins to wait for it just then and still reads
    that it goes on, then the commit wakes them."""
    run = bench.trigger()
    waiting = ExitStack()
    heard: list[Event] = []

    def end(scene: Scene) -> None:
        cancel_run(scene, run)
        # Spoken after all others, and before the commit.
        scene.tx.notes["latecomer"] = lambda _tx: heard.append(
            waiting.enter_context(bench.engine.waiters.waiting_for(run))
        )

    with waiting:
        bench.engine.write(end)
        [ended] = heard
        assert ended.is_set()
