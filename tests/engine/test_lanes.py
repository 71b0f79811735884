"""Lanes: one row for each concurrency key that has queued runs, kept by the store itself."""

from __future__ import annotations

from tests.engine.bench import Bench, new

from detent.model.protocol import NewRun


def lanes(bench: Bench, queue: str = "q") -> list[tuple[str, int]]:
    rows = bench.store.read_sql(
        "SELECT concurrency_key, served FROM lanes WHERE queue = :queue ORDER BY served", {"queue": queue}
    )
    return [(row["concurrency_key"], row["served"]) for row in rows]


def of(*keys: str) -> list[NewRun]:
    return [new(queue="q", known=True, concurrency_key=key) for key in keys]


def test_keys_that_come_together_join_the_row_in_their_order(bench: Bench) -> None:
    bench.trigger_all(of("z", "a", "z", "m", "a"))
    assert lanes(bench) == [("z", 1), ("a", 2), ("m", 3)]


def test_a_key_that_comes_later_joins_the_end_and_one_that_is_there_keeps_its_place(bench: Bench) -> None:
    bench.trigger_all(of("z", "a"))
    bench.trigger_all(of("b", "a", "c"))
    assert lanes(bench) == [("z", 1), ("a", 2), ("b", 3), ("c", 4)]


def test_each_queue_has_a_row_of_its_own(bench: Bench) -> None:
    bench.trigger_all([*of("z", "a"), new(queue="other", known=True, concurrency_key="a"), *of("b")])
    assert lanes(bench) == [("z", 1), ("a", 2), ("b", 3)]
    assert lanes(bench, "other") == [("a", 1)]


def test_a_run_that_is_not_queued_has_no_lane_until_it_is(bench: Bench) -> None:
    at = bench.clock.now() + 1000
    bench.trigger_all([new(queue="q", known=True, concurrency_key=key, run_at=at) for key in "ba"])
    assert lanes(bench) == []
    bench.pass_time(1)
    assert {key for key, _ in lanes(bench)} == {"a", "b"}
    assert [served for _, served in lanes(bench)] == [1, 2]


def test_a_lane_goes_with_its_last_run_and_comes_back_with_another(bench: Bench) -> None:
    worker = bench.worker("work@q")
    bench.trigger_all(of("a"))
    worker.work_off()
    assert lanes(bench) == []
    bench.trigger_all(of("a"))
    assert lanes(bench) == [("a", 1)]
