"""Batches as a whole: their status, their members in the order of the items."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.bench import Bench, new

from detent.engine.operations import Operations
from detent.errors import InvalidOptions, NotFound
from detent.model.ids import new_id
from detent.model.protocol import NewRun


@pytest.fixture
def ask(bench: Bench) -> Any:
    return Operations(bench.engine).call


def batch_of(bench: Bench, *runs: NewRun) -> tuple[str, list[str]]:
    batch_id = new_id("batch", bench.clock.now(), bench.count("SELECT count(*) FROM batches"))
    for run in runs:
        run.batch_id = batch_id
    return batch_id, [handle.id for handle in bench.engine.trigger(runs, batch_id=batch_id)]


def test_the_status_of_a_batch_is_that_of_its_runs_together(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work")
    batch, ids = batch_of(bench, *(new() for _ in range(3)))

    def shown() -> tuple[str, dict[str, int]]:
        found = ask("batches.retrieve", id=batch)
        return found["status"], found["counts"]

    assert shown() == ("PENDING", {"QUEUED": 3})
    first = worker.take()
    assert shown() == ("PROCESSING", {"QUEUED": 2, "DEQUEUED": 1})
    worker.finish(first, output='"one"')
    assert shown() == ("PROCESSING", {"QUEUED": 2, "COMPLETED": 1})
    for grant in worker.claim(2):
        worker.finish(grant)
    found = ask("batches.retrieve", id=batch)
    assert (found["status"], found["total"], found["runs"]) == ("COMPLETED", 3, ids)
    assert found["finished_at"] is not None


def test_a_batch_with_a_run_that_failed_is_partly_failed_and_its_results_are_in_order(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work")
    batch, ids = batch_of(bench, *(new() for _ in range(5)))
    for grant in sorted(worker.claim(4), key=lambda grant: ids.index(grant.run_id), reverse=True):
        place = ids.index(grant.run_id)
        if place == 1:
            worker.finish(grant, "FAILED", error='{"type":"ValueError","message":"no luck"}')
        else:
            worker.finish(grant, output=str(place))

    first = ask("batches.results", id=batch, limit=3)
    second = ask("batches.results", id=batch, limit=3, cursor=first["next_cursor"])

    results = first["items"] + second["items"]
    assert [each["id"] for each in results] == ids
    assert [each["output"] for each in results] == [0, None, 2, 3, None]
    assert [each["ok"] for each in results] == [True, False, True, True, None]
    assert results[1]["error"]["message"] == "no luck"
    assert second["next_cursor"] is None
    worker.finish(worker.take())
    assert ask("batches.retrieve", id=batch)["status"] == "PARTIAL_FAILED"


def test_items_that_were_found_by_their_key_stand_at_their_place(bench: Bench, ask: Any) -> None:
    bench.worker("work")
    known = [bench.trigger(idempotency_key=f"k{n}") for n in range(2)]
    keyed = [new(idempotency_key=f"k{n}") for n in range(2)]

    batch, ids = batch_of(bench, keyed[0], new(), keyed[1], new())

    assert ids[0::2] == known
    assert ask("batches.retrieve", id=batch)["runs"] == ids
    assert [each["id"] for each in ask("batches.results", id=batch)["items"]] == ids
    assert ask("batches.retrieve", id=batch)["counts"] == {"QUEUED": 4}
    pages = [ask("batches.retrieve", id=batch, limit=3), ask("batches.retrieve", id=batch, limit=3, cursor="3")]
    assert [page["runs"] for page in pages] == [ids[:3], ids[3:]]
    assert [page["next_cursor"] for page in pages] == ["3", None]


def test_a_batch_that_is_sent_again_changes_nothing(bench: Bench, ask: Any) -> None:
    bench.worker("work")
    known = bench.trigger(idempotency_key="k")
    runs = [new(), new(idempotency_key="k")]
    batch = new_id("batch")
    for run in runs:
        run.batch_id = batch
    for _ in range(2):
        bench.engine.trigger(runs, batch_id=batch)
    assert ask("batches.retrieve", id=batch)["runs"] == [runs[0].id, known]


def test_batches_of_runs_know_their_parent(bench: Bench, ask: Any) -> None:
    from detent.model.protocol import Trigger

    worker = bench.worker("work", "child")
    parent = bench.trigger()
    grant = worker.take()
    batch = new_id("batch")
    children = [new("child") for _ in range(2)]
    for child in children:
        child.batch_id = batch
    worker.say(Trigger(grant.run_id, grant.epoch, "1", children, batch_id=batch))

    found = ask("batches.retrieve", id=batch)

    assert (found["parent_id"], found["total"], len(found["runs"])) == (parent, 2, 2)


def test_batches_are_listed_newest_first_and_only_here(bench: Bench, ask: Any) -> None:
    bench.worker("work")
    batches = [batch_of(bench, new())[0] for _ in range(3)]
    first = ask("batches.list", limit=2)
    second = ask("batches.list", limit=2, cursor=first["next_cursor"])
    assert [each["id"] for each in first["items"] + second["items"]] == list(reversed(batches))
    assert second["next_cursor"] is None
    with pytest.raises(InvalidOptions, match="cursor"):
        ask("batches.list", cursor="5")
    bench.engine.env = "prod"
    assert ask("batches.list")["items"] == []
    for operation in ("batches.retrieve", "batches.results"):
        with pytest.raises(NotFound):
            ask(operation, id=batches[0])
