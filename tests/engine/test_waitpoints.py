"""Tokens and moments: one outcome each, whatever comes at once (fault F12)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Thread
from typing import Any

import pytest
from tests.engine.bench import MORNING, Bench

from detent.engine.loops.timers import BATCH, sweep_timers
from detent.engine.scene import Scene
from detent.engine.waitpoints import Created, create_waitpoint
from detent.errors import Conflict, NotFound
from detent.model.ids import new_id

MINUTE = 60_000


def make(bench: Bench, **values: Any) -> Created:
    return bench.engine.create_waitpoint(id=values.pop("id", None) or new_id("waitpoint"), **values)


def stored(bench: Bench, token: Created | str) -> Any:
    token_id = token if isinstance(token, str) else token.row["id"]
    [row] = bench.store.read("find_waitpoint", id=token_id)
    return row


def status(bench: Bench, token: Created | str) -> str:
    return str(stored(bench, token)["status"])


def test_a_token_waits_until_it_is_completed_and_keeps_its_output(bench: Bench) -> None:
    token = make(bench, tags=["approval"], run_id="run_1")
    assert (token.cached, token.row["status"], token.row["created_at"]) == (False, "WAITING", MORNING)
    bench.pass_time(3600)

    bench.engine.complete_waitpoint(token.row["id"], '{"ok":true}')

    row = stored(bench, token)
    assert (row["status"], row["output"], row["completed_at"]) == ("COMPLETED", '{"ok":true}', bench.clock.now())
    assert (row["tags"], row["run_id"]) == ('["approval"]', "run_1")


def test_a_token_that_is_made_again_with_its_id_is_found(bench: Bench) -> None:
    first = make(bench, due_at=MORNING + MINUTE)
    again = make(bench, id=first.row["id"], due_at=MORNING + 5 * MINUTE)
    assert (again.row["seq"], again.cached, again.row["due_at"]) == (first.row["seq"], False, MORNING + MINUTE)


def test_a_key_finds_its_token_until_the_key_expires_also_when_it_was_completed(bench: Bench) -> None:
    first = make(bench, idempotency_key="order-7", idempotency_ttl_ms=MINUTE)
    bench.engine.complete_waitpoint(first.row["id"], "1")
    again = make(bench, idempotency_key="order-7")
    assert (again.row["id"], again.cached, again.row["output"]) == (first.row["id"], True, "1")

    bench.pass_time(60)

    later = make(bench, idempotency_key="order-7")
    assert (later.row["id"] == first.row["id"], later.cached) == (False, False)
    assert stored(bench, first)["idempotency_key"] is None
    bench.pass_time(29 * 86_400)
    assert make(bench, idempotency_key="order-7").cached
    bench.pass_time(86_400)
    assert not make(bench, idempotency_key="order-7").cached


def test_a_second_completion_is_refused_with_the_first_outcome(bench: Bench) -> None:
    token = make(bench)
    bench.engine.complete_waitpoint(token.row["id"], '"yes"')
    bench.clock.forward(5)
    with pytest.raises(Conflict, match=r'was completed already at 2027-01-15T08:00:00\.000Z with "yes"'):
        bench.engine.complete_waitpoint(token.row["id"], '"no"')
    assert (stored(bench, token)["output"], stored(bench, token)["completed_at"]) == ('"yes"', MORNING)


def test_a_long_outcome_is_shown_short(bench: Bench) -> None:
    long, large = make(bench), make(bench)
    bench.engine.complete_waitpoint(long.row["id"], f'"{"x" * 1000}"')
    bench.engine.complete_waitpoint(large.row["id"], None, "waitpoints/large.json")
    with pytest.raises(Conflict, match=r'with "x{118}…; the first') as refusal:
        bench.engine.complete_waitpoint(long.row["id"], "null")
    assert len(str(refusal.value)) < 300
    with pytest.raises(Conflict, match="with a large output"):
        bench.engine.complete_waitpoint(large.row["id"], "null")


def test_a_call_whose_answer_was_lost_is_answered_again_and_another_call_is_not(bench: Bench) -> None:
    token = make(bench)
    first = bench.engine.complete_waitpoint(token.row["id"], "1", by="call_a")
    again = bench.engine.complete_waitpoint(token.row["id"], "1", by="call_a")
    assert (again["output"], again["completed_at"]) == (first["output"], first["completed_at"])
    for by in ("call_b", None):
        with pytest.raises(Conflict):
            bench.engine.complete_waitpoint(token.row["id"], "1", by=by)


def test_a_completion_without_a_name_is_not_taken_for_another_one(bench: Bench) -> None:
    token = make(bench)
    bench.engine.complete_waitpoint(token.row["id"], "1")
    with pytest.raises(Conflict):
        bench.engine.complete_waitpoint(token.row["id"], "1")


def test_what_is_no_token_cannot_be_completed(bench: Bench) -> None:
    moment = make(bench, kind="time", due_at=MORNING + MINUTE)
    for unknown in ("waitpoint_nope", moment.row["id"]):
        with pytest.raises(NotFound, match=f"no token '{unknown}' in this project; .*detent tokens list"):
            bench.engine.complete_waitpoint(unknown, "1")


def test_a_token_times_out_and_a_moment_is_reached_at_their_time(bench: Bench) -> None:
    token = make(bench, due_at=MORNING + MINUTE)
    moment = make(bench, kind="time", due_at=MORNING + MINUTE)
    forever = make(bench)
    assert bench.engine.next_due() == MORNING + MINUTE
    bench.pass_time(59.999)
    assert [status(bench, each) for each in (token, moment)] == ["WAITING", "WAITING"]

    bench.pass_time(0.001)

    assert [status(bench, each) for each in (token, moment, forever)] == ["TIMED_OUT", "COMPLETED", "WAITING"]
    assert bench.engine.next_due() is None
    assert bench.engine.write(sweep_timers) == 0
    with pytest.raises(Conflict, match=r"timed out at 2027-01-15T08:01:00\.000Z"):
        bench.engine.complete_waitpoint(token.row["id"], "1")


def test_a_completion_before_the_time_out_stays(bench: Bench) -> None:
    token = make(bench, due_at=MORNING + MINUTE)
    bench.clock.forward(59.999)
    bench.engine.complete_waitpoint(token.row["id"], "1")
    bench.pass_time(60)
    assert status(bench, token) == "COMPLETED"


def test_a_completion_after_the_time_is_late_though_nobody_has_noted_it_yet(bench: Bench) -> None:
    """Given an engine that was not running when a token's time passed, then that time still counts."""
    token = make(bench, due_at=MORNING + MINUTE)
    bench.clock.forward(60)
    with pytest.raises(Conflict, match="timed out"):
        bench.engine.complete_waitpoint(token.row["id"], "1")
    assert status(bench, token) == "WAITING"
    bench.engine.sweep()
    assert status(bench, token) == "TIMED_OUT"


def test_of_a_hundred_completions_at_once_one_wins_and_the_others_are_told_which(bench: Bench) -> None:
    token = make(bench)
    together = Barrier(100)

    def complete(n: int) -> str:
        together.wait()
        try:
            row = bench.engine.complete_waitpoint(token.row["id"], str(n), by=f"call_{n}")
        except Conflict as conflict:
            return str(conflict)
        return f"won {row['output']}"

    with ThreadPoolExecutor(100) as pool:
        answers = list(pool.map(complete, range(100)))

    winner = stored(bench, token)["output"]
    assert [answer for answer in answers if answer.startswith("won")] == [f"won {winner}"]
    assert sum(f"with {winner}; the first outcome counts" in answer for answer in answers) == 99


def test_a_completion_and_a_time_out_at_the_same_instant_leave_one_outcome(bench: Bench) -> None:
    for _ in range(50):
        due_at = bench.clock.now() + 1_000
        token = make(bench, due_at=due_at)
        together = Barrier(2)
        won: list[bool] = []

        def complete(token: Created = token, together: Barrier = together, won: list[bool] = won) -> None:
            together.wait()
            try:
                bench.engine.complete_waitpoint(token.row["id"], "1")
                won.append(True)
            except Conflict:
                won.append(False)

        thread = Thread(target=complete)
        thread.start()
        together.wait()
        bench.pass_time(1)
        thread.join()
        bench.engine.sweep()
        assert status(bench, token) == ("COMPLETED" if won == [True] else "TIMED_OUT")


def test_a_herd_of_time_outs_is_worked_off_in_batches(bench: Bench) -> None:
    def herd(scene: Scene) -> None:
        for _ in range(3 * BATCH):
            create_waitpoint(scene, id=new_id("waitpoint"), due_at=MORNING + 1)

    bench.engine.write(herd)
    bench.clock.forward(1)
    assert [bench.engine.write(sweep_timers) for _ in range(4)] == [BATCH, BATCH, BATCH, 0]


def test_tags_are_kept_beside_the_tokens(bench: Bench) -> None:
    make(bench, tags=["a", "b"])
    assert bench.count("SELECT count(*) FROM waitpoint_tags WHERE env = 'dev' AND tag IN ('a', 'b')") == 2
