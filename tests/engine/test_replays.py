"""Runs are run again: from the beginning, from a step on, out of a pause."""

from __future__ import annotations

from typing import Any

import pytest
from tests.databases import damage
from tests.engine.bench import Bench, Worker, new
from tests.oracle import check_history

from detent.errors import Conflict, InvalidOptions, NotFound, TaskNotFound
from detent.model.ids import new_id
from detent.model.protocol import Debounce, Done, Emit, Failure, Grant, Handle, MetadataOp, NewRun, Pause, Triggered


def note(bench: Bench, run_id: str, seq: int, key: str, status: str = "ok", **more: Any) -> None:
    """An entry in the journal of a run."""
    row = {"kind": "step", "target": key.partition("#")[0], "attempt": 1, "value": f'"{key}"', "at": 1} | more
    row |= {"run_id": run_id, "key": key, "seq": seq, "status": status}
    damage(
        bench.database, f"INSERT INTO journal ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})", *row.values()
    )


def journal(bench: Bench, run_id: str) -> list[tuple[Any, ...]]:
    rows = bench.store.read_sql("SELECT * FROM journal WHERE run_id = :id ORDER BY seq", {"id": run_id})
    return [(row["key"], row["status"], row["attempt"], row["value"]) for row in rows]


def keys(bench: Bench, run_id: str) -> list[str]:
    return [key for key, *_ in journal(bench, run_id)]


def replay(bench: Bench, run_id: str, *given: str, **changes: Any) -> str:
    changes.setdefault("payload", None)
    return bench.engine.replay(run_id, new("", **changes), given).id


def fork(bench: Bench, run_id: str, at: str | None = None) -> str:
    return bench.engine.fork(run_id, at, new_id=new_id("run")).id


def grant_of(worker: Worker, run_id: str) -> Grant:
    return next(grant for grant in worker.claim(50) if grant.run_id == run_id)


# Replay.


@pytest.mark.parametrize("status", ["COMPLETED", "FAILED", "CANCELED"])
def test_a_replay_is_a_new_run_with_the_same_payload_and_options(bench: Bench, status: str) -> None:
    worker = bench.worker()
    first = bench.trigger(
        payload='{"n":1}',
        queue="other",
        concurrency_key="tenant",
        priority=7,
        tags=["a", "b"],
        metadata='{"m":1}',
        max_attempts=9,
        max_duration_ms=5000,
        ttl_ms=60_000,
    )
    worker.finish(worker.take(), status)
    second = replay(bench, first)
    assert second != first
    before, after = dict(bench.row(first)), dict(bench.row(second))
    same = ("task", "payload", "queue", "concurrency_key", "priority", "tags", "metadata", "max_attempts", "ttl_ms")
    assert {name: after[name] for name in same} == {name: before[name] for name in same}
    assert after["max_duration_ms"] == 5000
    assert (after["replay_of"], after["forked_at"], after["state"], after["attempt"]) == (first, None, "QUEUED", 1)
    assert worker.take().replay_of == first
    assert bench.state(first) == status
    check_history(bench.store).raise_if_wrong()


@pytest.mark.parametrize("state", ["DELAYED", "QUEUED", "EXECUTING", "WAITING"])
def test_a_run_can_be_replayed_before_its_end(bench: Bench, state: str) -> None:
    worker = bench.worker("work", "child")
    first = bench.trigger(delay_ms=60_000 if state == "DELAYED" else None)
    if state in {"EXECUTING", "WAITING"}:
        grant = worker.take()
        if state == "WAITING":
            worker.fan_out(grant, "1", "child")
    assert bench.state(first) == state
    second = replay(bench, first)
    assert bench.state(second) == "QUEUED"
    assert journal(bench, second) == []


def test_what_is_given_is_otherwise_and_the_rest_is_the_same(bench: Bench) -> None:
    worker = bench.worker()
    first = bench.trigger(payload="1", tags=["a"], priority=3, max_attempts=2)
    second = replay(bench, first, "tags", "delay", payload="2", tags=["b"], delay_ms=5000)
    row = bench.row(second)
    assert (row["payload"], row["tags"], row["priority"], row["max_attempts"]) == ("2", '["b"]', 3, 2)
    assert row["state"] == "DELAYED"
    bench.pass_time(5)
    assert {grant.run_id for grant in worker.claim(2)} == {first, second}


def test_a_replay_of_a_child_is_nobodys_child_and_its_parent_waits_for_the_first_alone(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    parent = bench.trigger("parent")
    [child] = worker.fan_out(worker.take(), "1", "child")
    second = replay(bench, child)
    row = bench.row(second)
    assert (row["parent_id"], row["root_id"], row["batch_id"], row["awaited"]) == (None, None, None, 0)
    grants = {grant.run_id: grant for grant in worker.claim(2)}
    worker.finish(grants[second])
    assert bench.state(parent) == "WAITING"
    worker.finish(grants[child])
    assert bench.state(parent) == "QUEUED"


def test_the_idempotency_key_stays_with_the_first_run_and_a_new_one_finds_the_first_replay(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger(idempotency_key="k")
    second = replay(bench, first)
    assert bench.row(second)["idempotency_key"] is None
    assert bench.trigger(idempotency_key="k") == first
    third = replay(bench, first, "idempotency_key", idempotency_key="r")
    assert bench.engine.replay(first, new("", payload=None, idempotency_key="r"), ("idempotency_key",)) == Handle(
        third, cached=True
    )


def test_a_replay_begins_with_the_metadata_of_the_trigger_not_with_what_the_run_made_of_it(bench: Bench) -> None:
    worker = bench.worker()
    plain, given = bench.trigger(), bench.trigger(metadata='{"step":0}')
    for grant in worker.claim(2):
        for n in "12":
            worker.say(Emit(grant.run_id, grant.epoch, metadata=[MetadataOp("self", "set", "step", n)]))
    assert bench.row(given)["metadata"] == '{"step":2}'
    assert bench.row(replay(bench, given))["metadata"] == '{"step":0}'
    assert bench.row(replay(bench, plain))["metadata"] == "{}"


def test_a_large_payload_is_shared_with_the_first_run(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger(payload=None, payload_ref="runs/x/payload.json")
    assert bench.row(replay(bench, first))["payload_ref"] == "runs/x/payload.json"
    second = bench.row(replay(bench, first, payload="1"))
    assert (second["payload"], second["payload_ref"]) == ("1", None)


def test_a_replay_that_is_asked_for_again_is_made_once(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger()
    run = new("", payload=None)
    assert bench.engine.replay(first, run) == bench.engine.replay(first, run) == Handle(run.id)
    assert bench.count("SELECT count(*) FROM runs") == 2
    with pytest.raises(Conflict, match="there is another run"):
        bench.engine.replay(run.id, NewRun(first, ""))


def test_a_run_that_is_not_there_cannot_be_run_again(bench: Bench) -> None:
    for again in (replay, fork):
        with pytest.raises(NotFound, match="no run 'run_x'"):
            again(bench, "run_x")
    with pytest.raises(NotFound, match="no run 'run_x'"):
        bench.engine.resume("run_x")


def test_a_task_that_no_worker_knows_is_refused_as_a_trigger_of_it_is(bench: Bench) -> None:
    old = bench.worker("old")
    first = bench.trigger("old")
    old.finish(old.take())
    bench.engine.lose_worker(old.id, "stopped")
    bench.worker("new")
    with pytest.raises(TaskNotFound, match="old"):
        replay(bench, first)
    with pytest.raises(TaskNotFound, match="old"):
        fork(bench, first)


def test_a_replay_is_not_debounced(bench: Bench) -> None:
    bench.worker()
    with pytest.raises(InvalidOptions, match="leave debounce out"):
        replay(bench, bench.trigger(), "debounce", debounce=Debounce("k", 5000))


# Fork.


def test_a_fork_keeps_what_was_finished_before_the_entry(bench: Bench) -> None:
    worker = bench.worker()
    first = bench.trigger(payload="1", tags=["a"])
    worker.finish(worker.take(), "FAILED")
    note(bench, first, 1, "fetch#1", value_ref="objects/x", value=None, done=1)
    note(bench, first, 2, "check#1", "error", error='{"type":"E","message":"m"}', value=None)
    note(bench, first, 3, "sleep#1", "left")
    note(bench, first, 4, "charge#1")
    note(bench, first, 5, "mail#1")
    second = fork(bench, first, "charge#1")
    assert keys(bench, second) == ["fetch#1", "check#1", "sleep#1"]
    kept = bench.store.read_sql("SELECT * FROM journal WHERE run_id = :id ORDER BY seq", {"id": second})
    original = bench.store.read_sql("SELECT * FROM journal WHERE run_id = :id ORDER BY seq", {"id": first})
    for copy, entry in zip(kept, original, strict=False):
        assert dict(copy) | {"run_id": first} == dict(entry)
    row = bench.row(second)
    assert (row["payload"], row["tags"], row["replay_of"], row["forked_at"]) == ("1", '["a"]', first, "charge#1")
    assert (row["has_journal"], row["state"], row["attempt"]) == (1, "QUEUED", 1)
    assert keys(bench, first) == ["fetch#1", "check#1", "sleep#1", "charge#1", "mail#1"]


def test_a_fork_without_an_entry_keeps_all_that_is_finished(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger()
    for seq, key in enumerate(["a#1", "b#1", "c#1"]):
        note(bench, first, seq, key)
    second = fork(bench, first)
    assert keys(bench, second) == ["a#1", "b#1", "c#1"]
    assert bench.row(second)["forked_at"] == ""


@pytest.mark.parametrize("at", [None, "d#1"])
def test_an_open_wait_and_what_came_after_it_is_not_kept(bench: Bench, at: str | None) -> None:
    bench.worker()
    first = bench.trigger()
    note(bench, first, 1, "a#1")
    note(bench, first, 2, "wait#1", "open", kind="time")
    note(bench, first, 3, "c#1")
    note(bench, first, 4, "d#1")
    assert keys(bench, fork(bench, first, at)) == ["a#1"]


def test_a_fork_of_the_first_entry_begins_anew(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger()
    note(bench, first, 1, "a#1")
    second = fork(bench, first, "a#1")
    assert journal(bench, second) == []
    assert bench.row(second)["has_journal"] == 0


def test_what_earlier_attempts_did_stays_earlier(bench: Bench) -> None:
    """Given a run in its second attempt, when it is forked, then what its first attempt did has the same standing in
    the fork: steps are found again, an open wait of that time holds up nothing."""
    worker = bench.worker()
    first = bench.trigger()
    worker.finish(worker.take(), "DELAYED", retry_at=bench.clock.now() + 1000)
    bench.pass_time(1)
    worker.take()
    note(bench, first, 1, "a#1", attempt=1)
    note(bench, first, 2, "wait#1", "open", attempt=1)
    note(bench, first, 3, "b#1", attempt=2)
    note(bench, first, 4, "c#1", attempt=2)
    assert journal(bench, fork(bench, first, "c#1")) == [("a#1", "ok", 0, '"a#1"'), ("b#1", "ok", 1, '"b#1"')]


def test_an_entry_that_is_not_there_is_refused_with_near_ones(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger()
    note(bench, first, 1, "charge#1")
    with pytest.raises(NotFound, match=r"'chrge#1'; did you mean 'charge#1'\?; see them with `detent runs journal"):
        fork(bench, first, "chrge#1")
    with pytest.raises(NotFound, match="none is known yet"):
        fork(bench, bench.trigger(), "charge#1")
    assert bench.count("SELECT count(*) FROM runs") == 2


def test_a_fork_finds_the_children_that_were_kept_and_makes_the_others_anew(bench: Bench) -> None:
    """Given a run with two children, of which one has ended, when it is forked after them, then the fork makes neither
    again, waits for the one that executes, and is woken with its result."""
    worker = bench.worker("parent", "child")
    parent = bench.trigger("parent")
    grant = worker.take()
    [done] = worker.trigger(grant, "a#1", new("child", payload="1")).handles
    worker.finish(grant_of(worker, done.id), output='"one"')
    [open_child] = worker.trigger(grant, "b#1", "child", wait=True).handles
    worker.trigger(grant, "c#1", "child")
    for seq, key in enumerate(["a#1", "b#1", "c#1"]):
        damage(bench.database, "UPDATE journal SET seq = ? WHERE key = ?", seq, key)

    second = fork(bench, parent, "c#1")
    rows = bench.store.read_sql("SELECT * FROM children WHERE run_id = :id ORDER BY key", {"id": second})
    assert [(row["key"], row["child_id"], row["awaited"]) for row in rows] == [
        ("a#1", done.id, 0),
        ("b#1", open_child.id, 1),
    ]
    other = bench.worker("parent", "child")
    grants = {grant.run_id: grant for grant in other.claim(10)}
    again = grants[second]
    assert other.trigger(again, "a#1", "child", wait=True).result.runs[0].output == '"one"'
    assert other.fan_out(again, "b#1", "child") == [open_child.id]
    other.finish(grants[open_child.id], output='"two"')
    again = grant_of(other, second)
    assert [run.output for run in again.results[0].runs] == ['"two"']
    [made] = other.trigger(again, "c#1", "child").handles
    assert bench.row(made.id)["parent_id"] == second
    other.finish(again)
    assert bench.state(second) == "COMPLETED"
    check_history(bench.store).raise_if_wrong()


def test_a_child_that_ends_while_the_fork_has_not_come_to_it_wakes_nobody_and_is_there_then(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    parent = bench.trigger("parent")
    [child] = worker.fan_out(worker.take(), "a#1", "child")
    second = fork(bench, parent)
    grants = {grant.run_id: grant for grant in worker.claim(2)}
    worker.finish(grants[child], output="1")
    answer = worker.trigger(grants[second], "a#1", "child", park=True)
    assert isinstance(answer, Triggered)
    assert answer.result is not None
    assert [run.output for run in answer.result.runs] == ["1"]
    assert grant_of(worker, parent).results[0].runs[0].output == "1"


def test_a_fork_that_goes_another_way_at_a_kept_entry_is_told(bench: Bench) -> None:
    worker = bench.worker("parent", "child", "other")
    parent = bench.trigger("parent")
    worker.fan_out(worker.take(), "a#1", "child")
    second = fork(bench, parent)
    answer = worker.trigger(grant_of(worker, second), "a#1", "other")
    assert isinstance(answer, Failure)
    assert answer.code == "journal_mismatch"


def test_a_failed_child_that_is_kept_stays_failed_and_one_of_an_earlier_attempt_is_made_again(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    parent = bench.trigger("parent")
    grant = worker.take()
    [early] = worker.trigger(grant, "a#1", "child").handles
    worker.finish(grant_of(worker, early.id), "FAILED")
    worker.finish(grant, "DELAYED", retry_at=bench.clock.now() + 1000)
    second = fork(bench, parent)
    bench.pass_time(1)
    [again] = worker.trigger(grant_of(worker, second), "a#1", "child").handles
    assert again.id != early.id
    worker.finish(grant_of(worker, again.id), "FAILED")
    third = fork(bench, second)
    [kept] = worker.trigger(grant_of(worker, third), "a#1", "child").handles
    assert kept.id == again.id


def test_cancelling_a_fork_leaves_the_children_of_the_first_run_alone(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    parent = bench.trigger("parent")
    [child] = worker.fan_out(worker.take(), "a#1", "child")
    bench.engine.cancel(fork(bench, parent))
    assert bench.state(child) == "QUEUED"
    assert bench.state(parent) == "WAITING"


def test_a_fork_that_is_asked_for_again_is_made_once(bench: Bench) -> None:
    bench.worker()
    first = bench.trigger()
    note(bench, first, 1, "a#1")
    made = new_id("run")
    assert bench.engine.fork(first, new_id=made) == bench.engine.fork(first, new_id=made) == Handle(made)
    with pytest.raises(Conflict, match="there is another run"):
        bench.engine.fork(first, "a#1", new_id=made)


# Resume.


def pause(worker: Worker, grant: Grant) -> str:
    """The code of the run does not fit its journal; the run's id."""
    [answer] = worker.say(Pause(grant.run_id, grant.epoch, "a#1", "step", "wait", "it went another way"))
    assert answer == Done()
    return grant.run_id


def test_a_paused_run_goes_on_ahead_of_new_runs(bench: Bench) -> None:
    worker = bench.worker("work@q")
    bench.trigger()
    [grant] = worker.claim(2)
    first = pause(worker, grant)
    bench.engine.resume(first)
    assert bench.state(first) == "QUEUED"
    assert bench.row(first)["paused"] is None
    assert bench.history(first)[-2:] == ["pause:WAITING", "resume:QUEUED"]
    assert worker.rung()
    bench.trigger(priority=60)
    assert worker.take().run_id == first


def test_only_a_person_lets_a_paused_run_go_on(bench: Bench) -> None:
    """Given a paused run, when a child that it once waited for ends and time goes by, then it stays paused."""
    worker = bench.worker("parent", "child")
    bench.trigger("parent")
    grant = worker.take()
    [child] = worker.trigger(grant, "1", "child", wait=True).handles
    parent = pause(worker, grant)
    worker.finish(grant_of(worker, child.id))
    bench.pass_time(3600)
    assert bench.state(parent) == "WAITING"
    bench.engine.resume(parent)
    answer = worker.trigger(grant_of(worker, parent), "1", "child", wait=True)
    assert [run.status for run in answer.result.runs] == ["COMPLETED"]


@pytest.mark.parametrize(
    ("state", "told"),
    [("QUEUED", "it goes on by itself"), ("DEQUEUED", "it goes on by itself"), ("COMPLETED", "detent runs replay")],
)
def test_a_run_that_is_not_paused_is_refused_with_its_state(bench: Bench, state: str, told: str) -> None:
    worker = bench.worker()
    run = bench.trigger()
    if state != "QUEUED":
        grant = worker.take()
        if state == "COMPLETED":
            worker.finish(grant)
    with pytest.raises(Conflict, match=f"not paused but {state}.*{told}"):
        bench.engine.resume(run)


def test_a_paused_run_can_be_cancelled_and_forked(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    grant = worker.take()
    note(bench, grant.run_id, 1, "before#1")
    note(bench, grant.run_id, 2, "a#1")
    first = pause(worker, grant)
    second = fork(bench, first, "a#1")
    assert keys(bench, second) == ["before#1"]
    assert bench.engine.cancel(first) == "CANCELED"
    with pytest.raises(Conflict, match="not paused but CANCELED"):
        bench.engine.resume(first)
