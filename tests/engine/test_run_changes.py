"""What people change about one run while it waits, executes, or has ended."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.bench import Bench, new

from detent.engine.operations import Operations
from detent.errors import Conflict, InvalidOptions, LimitExceeded, NotFound
from detent.model.ids import new_id
from detent.model.options import idempotency_hash


@pytest.fixture
def ask(bench: Bench) -> Any:
    return Operations(bench.engine).call


def test_a_delayed_run_starts_at_the_moment_that_it_was_put_off_to(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work")
    run = bench.trigger(delay_ms=60_000, ttl_ms=5_000, priority=2)

    shown = ask("runs.reschedule", id=run, delay="10m")

    assert shown == {"id": run, "status": "DELAYED", "delay_until": "2027-01-15T08:10:00.000Z"}
    row = bench.row(run)
    assert (row["order_at"], row["expires_at"]) == (row["wake_at"] - 2_000, row["wake_at"] + 5_000)
    bench.pass_time(599)
    assert worker.claim() == []
    bench.pass_time(1)
    assert [grant.run_id for grant in worker.claim()] == [run]
    assert "reschedule:DELAYED" in bench.history(run)


def test_a_moment_in_the_past_is_now(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work")
    run = bench.trigger(delay_ms=60_000)
    ask("runs.reschedule", id=run, delay="2020-01-01T00:00:00Z")
    bench.pass_time(0)
    assert [grant.run_id for grant in worker.claim()] == [run]


def test_a_run_that_is_not_delayed_is_not_put_off(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work")
    run = bench.trigger()
    with pytest.raises(Conflict, match="QUEUED"):
        ask("runs.reschedule", id=run, delay="1m")
    worker.finish(worker.take())
    with pytest.raises(Conflict, match="COMPLETED"):
        ask("runs.reschedule", id=run, delay="1m")
    with pytest.raises(NotFound):
        ask("runs.reschedule", id=new_id("run"), delay="1m")
    with pytest.raises(InvalidOptions, match="delay"):
        ask("runs.reschedule", id=run, delay="soon")


def test_metadata_is_changed_by_key_and_replaced_also_after_the_end(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work")
    run = bench.trigger(metadata='{"stage":"one","tries":1,"seen":["a"]}')
    worker.finish(worker.take())

    changed = ask(
        "runs.update_metadata",
        id=run,
        operations=[
            {"op": "set", "key": "stage", "value": {"n": 2}},
            {"op": "increment", "key": "tries", "value": 2.5},
            {"op": "append", "key": "seen", "value": "b"},
            {"op": "remove", "key": "seen", "value": "a"},
            {"op": "set", "key": "gone", "value": 1},
            {"op": "delete", "key": "gone"},
        ],
    )

    assert changed == {"id": run, "metadata": {"stage": {"n": 2}, "tries": 3.5, "seen": ["b"]}}
    assert ask("runs.update_metadata", id=run, metadata={})["metadata"] == {}
    assert ask("runs.retrieve", id=run)["metadata"] == {}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "either metadata"),
        ({"metadata": {}, "operations": []}, "either metadata"),
        ({"metadata": [1]}, "object"),
        ({"operations": []}, "1 to 1,000"),
        ({"operations": [{"op": "sett", "key": "a"}]}, "did you mean 'set'"),
        ({"operations": [{"op": "replace", "key": "a", "value": {}}]}, "op"),
        ({"operations": [{"op": "set", "key": "", "value": 1}]}, "key"),
        ({"operations": [{"op": "set", "key": "a", "value": 1, "target": "parent"}]}, "op, key and value"),
        ({"operations": [{"op": "increment", "key": "a", "value": "1"}]}, "number"),
        ({"operations": [{"op": "set", "key": "a", "value": 1}, {"op": "increment", "key": "text", "value": 1}]}, "no"),
    ],
)
def test_changes_of_metadata_that_make_no_sense_change_nothing(
    bench: Bench, ask: Any, values: dict[str, Any], expected: str
) -> None:
    bench.worker("work")
    run = bench.trigger(metadata='{"text":"x"}')
    with pytest.raises(InvalidOptions, match=expected):
        ask("runs.update_metadata", id=run, **values)
    assert ask("runs.retrieve", id=run)["metadata"] == {"text": "x"}


def test_metadata_over_the_limit_is_refused(bench: Bench, ask: Any) -> None:
    bench.worker("work")
    run = bench.trigger()
    for values in (
        {"metadata": {"a": "x" * 262_144}},
        {"operations": [{"op": "set", "key": "a", "value": "ä" * 140_000}]},
    ):
        with pytest.raises(LimitExceeded, match="256 KiB"):
            ask("runs.update_metadata", id=run, **values)
    assert ask("runs.retrieve", id=run)["metadata"] == {}


def test_tags_are_added_up_to_ten_and_found(bench: Bench, ask: Any) -> None:
    bench.worker("work")
    run = bench.trigger(tags=["a"])

    assert ask("runs.add_tags", id=run, tags=["b", "a", "b"])["tags"] == ["a", "b"]

    assert [each["id"] for each in ask("runs.list", tag="b")["items"]] == [run]
    with pytest.raises(InvalidOptions, match="at most 10"):
        ask("runs.add_tags", id=run, tags=[str(n) for n in range(9)])
    with pytest.raises(InvalidOptions, match="128"):
        ask("runs.add_tags", id=run, tags=["x" * 129])
    assert ask("runs.retrieve", id=run)["tags"] == ["a", "b"]


def test_an_idempotency_key_that_was_reset_starts_a_new_run(bench: Bench, ask: Any) -> None:
    bench.worker("work")
    key = idempotency_hash("order/17")
    first = bench.trigger_all([new(idempotency_key=key)])[0].id
    assert bench.trigger_all([new(idempotency_key=key)])[0].id == first

    assert ask("idempotency.reset", id="order/17", task="other")["run_id"] is None
    assert ask("idempotency.reset", id="order/17", task="work") == {"key": "order/17", "task": "work", "run_id": first}

    second = bench.trigger_all([new(idempotency_key=key)])[0].id
    assert second != first
    # And by the hash that a run shows
    assert ask("idempotency.reset", id=key, task="work")["run_id"] == second


def test_a_run_shows_the_runs_that_belong_to_it(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work", "child", "grandchild")
    top = bench.trigger()
    [child] = worker.fan_out(worker.take(), "1", "child")
    [grandchild] = worker.fan_out(worker.take(), "1", "grandchild")
    replay = ask("runs.replay", id=grandchild)["id"]

    related = ask("runs.retrieve", id=grandchild)["related"]

    assert (related["parent"]["id"], related["root"]["id"], related["replay_of"]) == (child, top, None)
    assert [each["id"] for each in related["replays"]] == [replay]
    assert ask("runs.retrieve", id=replay)["related"]["replay_of"]["task"] == "grandchild"


def test_runs_of_another_environment_cannot_be_changed(bench: Bench, ask: Any) -> None:
    bench.worker("work")
    run = bench.trigger_all([new(delay_ms=60_000, idempotency_key=idempotency_hash("k"))])[0].id
    bench.engine.env = "prod"
    for operation, values in {
        "runs.reschedule": {"delay": "1h"},
        "runs.update_metadata": {"metadata": {"a": 1}},
        "runs.add_tags": {"tags": ["a"]},
    }.items():
        with pytest.raises(NotFound):
            ask(operation, id=run, **values)
    assert ask("idempotency.reset", id="k", task="work")["run_id"] is None
