"""Work on many runs: each is handled once, whatever dies in between, and what comes later is not touched."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.bench import Bench, new

from detent.engine.bulk import serve_bulk
from detent.engine.loops import bulk as bulk_loop
from detent.engine.operations import Operations
from detent.errors import Conflict, InvalidOptions, LimitExceeded, NotFound
from detent.model.ids import new_id


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_loop, "BATCH", 3)


def ask(bench: Bench, operation: str, **values: Any) -> Any:
    return Operations(bench.engine).call(operation, **values)


def finish_bulk(bench: Bench) -> None:
    while bench.engine.work_on_bulk():
        pass


def states(bench: Bench) -> dict[str, int]:
    rows = bench.store.read_sql("SELECT state, count(*) AS n FROM runs GROUP BY state", {})
    return {row["state"]: row["n"] for row in rows}


def failed(bench: Bench, n: int) -> list[str]:
    worker = bench.worker("work")
    ids = [handle.id for handle in bench.trigger_all([new(tags=["nightly"]) for _ in range(n)])]
    for grant in worker.claim(n):
        worker.finish(grant, "FAILED", error='{"type":"ValueError","message":"no luck"}')
    return ids


def test_a_bulk_cancel_ends_what_fits_and_nothing_that_comes_later(bench: Bench) -> None:
    # Given eight runs of which seven fit
    bench.worker("work", "other")
    bench.trigger_all([new() for _ in range(7)])
    kept = bench.trigger("other")
    # When
    made = ask(bench, "bulk.create", action="cancel", filter={"task": "work"}, reason="a mistake", name="tidy")
    assert (made["status"], made["expected"], made["total"]) == ("PENDING", 7, 0)
    later = bench.trigger()
    assert bench.engine.work_on_bulk()
    under_way = ask(bench, "bulk.retrieve", id=made["id"])
    assert (under_way["status"], under_way["total"]) == ("PROCESSING", 3)
    finish_bulk(bench)
    # Then
    ended = ask(bench, "bulk.retrieve", id=made["id"])
    assert (ended["status"], ended["total"], ended["succeeded"]) == ("COMPLETED", 7, 7)
    assert ended["ended_at"] is not None
    assert states(bench) == {"CANCELED": 7, "QUEUED": 2}
    assert bench.state(kept) == bench.state(later) == "QUEUED"


def test_a_bulk_replay_replays_each_run_once_and_not_its_own_replays(bench: Bench) -> None:
    sources = failed(bench, 7)
    made = ask(bench, "bulk.create", action="replay", filter={"status": ["FAILED", "QUEUED"], "tag": "nightly"})

    finish_bulk(bench)

    replays = bench.store.read_sql("SELECT replay_of, tags FROM runs WHERE replay_of IS NOT NULL", {})
    assert sorted(row["replay_of"] for row in replays) == sorted(sources)
    assert {row["tags"] for row in replays} == {'["nightly"]'}
    assert ask(bench, "bulk.retrieve", id=made["id"])["succeeded"] == 7


def test_a_bulk_action_goes_on_where_it_was_in_another_process(bench: Bench) -> None:
    failed(bench, 8)
    made = ask(bench, "bulk.create", action="replay", filter={"status": "FAILED"})
    bench.engine.work_on_bulk()

    bench.restart()
    finish_bulk(bench)

    assert ask(bench, "bulk.retrieve", id=made["id"])["succeeded"] == 8
    assert bench.count("SELECT count(DISTINCT replay_of) FROM runs") == 8
    assert bench.count("SELECT count(*) FROM runs") == 16


def test_a_batch_that_is_written_twice_handles_its_runs_once(bench: Bench) -> None:
    # Given two processes that read the same place
    failed(bench, 5)
    made = ask(bench, "bulk.create", action="replay", filter={"status": "FAILED"})
    row = bench.store.read("next_bulk_action")
    bench.engine.work_on_bulk()
    assert row[0]["before_seq"] != bench.store.read("next_bulk_action")[0]["before_seq"]
    # When the slower one comes with what it has read
    ids = [found["id"] for found in bench.store.read_sql("SELECT id FROM runs WHERE state = 'FAILED'", {})]
    bench.engine.write(lambda scene: serve_bulk(scene, row[0], ids, 1, lambda _task: True))
    finish_bulk(bench)
    # Then
    assert bench.count("SELECT count(*) FROM runs WHERE replay_of IS NOT NULL") == 5
    assert ask(bench, "bulk.retrieve", id=made["id"])["total"] == 5


def test_runs_that_have_ended_or_are_not_there_are_told_apart(bench: Bench) -> None:
    worker = bench.worker("work")
    done, waits = bench.trigger(), bench.trigger()
    worker.finish(worker.take())
    nowhere = new_id("run")

    made = ask(bench, "bulk.create", action="cancel", ids=[done, nowhere, waits, waits])
    finish_bulk(bench)

    ended = ask(bench, "bulk.retrieve", id=made["id"])
    assert (ended["expected"], ended["succeeded"], ended["skipped"], ended["failed"]) == (3, 1, 1, 1)
    assert {(problem["run"], problem["outcome"]) for problem in ended["problems"]} == {
        (done, "skipped"),
        (nowhere, "failed"),
    }
    assert bench.state(waits) == "CANCELED"


def test_an_aborted_bulk_action_leaves_the_rest_as_it_is(bench: Bench) -> None:
    bench.worker("work")
    bench.trigger_all([new() for _ in range(8)])
    made = ask(bench, "bulk.create", action="cancel", filter={"task": ["work"]})
    bench.engine.work_on_bulk()

    aborted = ask(bench, "bulk.abort", id=made["id"])
    finish_bulk(bench)

    assert (aborted["status"], aborted["total"]) == ("ABORTED", 3)
    assert states(bench) == {"CANCELED": 3, "QUEUED": 5}
    assert ask(bench, "bulk.abort", id=made["id"])["status"] == "ABORTED"
    other = ask(bench, "bulk.create", action="cancel", filter={"task": ["work"]})
    finish_bulk(bench)
    with pytest.raises(Conflict, match="already"):
        ask(bench, "bulk.abort", id=other["id"])
    assert [action["id"] for action in ask(bench, "bulk.list")["items"]] == [other["id"], made["id"]]


def test_a_dry_run_counts_shows_examples_and_does_nothing(bench: Bench) -> None:
    bench.worker("work")
    bench.trigger_all([new() for _ in range(8)])

    told = ask(bench, "bulk.create", action="cancel", filter={"period": "1h", "task": "work"}, dry_run=True)

    assert (told["status"], told["expected"], len(told["examples"])) == ("DRY_RUN", 8, 5)
    assert told["filter"]["since"] == "2027-01-15T07:00:00.000Z"
    assert ask(bench, "bulk.list")["items"] == []
    finish_bulk(bench)
    assert states(bench) == {"QUEUED": 8}


def test_a_bulk_action_asked_for_again_is_the_first_one(bench: Bench) -> None:
    bench.worker("work")
    bench.trigger()
    given = new_id("bulk")
    for _ in range(2):
        assert ask(bench, "bulk.create", action="cancel", filter={"task": "work"}, id=given)["id"] == given
    assert len(ask(bench, "bulk.list")["items"]) == 1


def test_two_bulk_actions_take_turns(bench: Bench) -> None:
    bench.worker("work", "other")
    bench.trigger_all([new(task) for task in ("work", "other") for _ in range(7)])
    first = ask(bench, "bulk.create", action="cancel", filter={"task": "work"})["id"]
    second = ask(bench, "bulk.create", action="cancel", filter={"task": "other"})["id"]
    for _ in range(2):
        bench.engine.work_on_bulk()
        bench.clock.forward(0.001)
    assert ask(bench, "bulk.retrieve", id=first)["total"] == ask(bench, "bulk.retrieve", id=second)["total"] == 3


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, "either filter or ids"),
        ({"filter": {"task": "work"}, "ids": ["run_1"]}, "either filter or ids"),
        ({"filter": {}}, "at least one of"),
        ({"filter": {"status": []}}, "at least one of"),
        ({"filter": {"taks": "work"}}, "did you mean 'task'"),
        ({"filter": {"limit": "5"}}, "filter"),
        ({"filter": {"task": 5}}, "text or a list of texts"),
        ({"filter": {"status": "COMPLETED"}}, "cannot be cancelled"),
        ({"ids": []}, "at least one"),
        ({"ids": ["run_1"]}, "no id of a run"),
        ({"filter": {"task": "work"}, "action": "delete"}, "no bulk action named"),
        ({"filter": {"task": "work"}, "name": "x" * 129}, "name"),
        ({"filter": {"task": "work"}, "id": "bulk_1"}, "id must be"),
    ],
)
def test_what_is_not_clear_is_refused(bench: Bench, values: dict[str, Any], expected: str) -> None:
    with pytest.raises(InvalidOptions, match=expected):
        ask(bench, "bulk.create", **({"action": "cancel"} | values))
    with pytest.raises(LimitExceeded):
        ask(bench, "bulk.create", action="cancel", ids=[new_id("run") for _ in range(5_001)])


def test_bulk_actions_of_another_environment_are_not_there_and_touch_nothing_here(bench: Bench) -> None:
    bench.worker("work")
    mine = bench.trigger()
    made = ask(bench, "bulk.create", action="cancel", filter={"task": "other"})
    bench.engine.env = "prod"
    theirs = ask(bench, "bulk.create", action="cancel", ids=[mine])
    ask(bench, "bulk.create", action="cancel", filter={"task": "work"})
    for operation in ("bulk.retrieve", "bulk.abort"):
        with pytest.raises(NotFound):
            ask(bench, operation, id=made["id"])
    bench.engine.env = "dev"

    finish_bulk(bench)

    assert bench.state(mine) == "QUEUED"
    bench.engine.env = "prod"
    assert ask(bench, "bulk.retrieve", id=theirs["id"])["failed"] == 1
    assert len(ask(bench, "bulk.list")["items"]) == 2


def test_old_bulk_actions_are_forgotten(bench: Bench) -> None:
    bench.worker("work")
    ask(bench, "bulk.create", action="cancel", filter={"task": "work"})
    finish_bulk(bench)
    bench.clock.forward(31 * 24 * 3600)
    bench.engine.tidy()
    assert ask(bench, "bulk.list")["items"] == []
