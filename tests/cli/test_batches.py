from __future__ import annotations

from tests.cli.near import Near

from detent.model.ids import new_id
from detent.model.protocol import NewRun


def test_batches_are_listed_and_shown_with_their_results(near: Near) -> None:
    # Given
    assert "No batches" in near.detent("batches", "list").err
    batch = new_id("batch")
    runs = [NewRun(new_id("run"), "near-fail", batch_id=batch) for _ in range(2)]
    near.host.engine.trigger(runs, batch_id=batch)
    near.host.engine.cancel(runs[0].id, "a mistake")
    # When
    [found] = near.json("batches", "list")["items"]
    # Then
    assert (found["id"], found["status"], found["counts"]) == (batch, "PROCESSING", {"CANCELED": 1, "QUEUED": 1})
    assert batch in near.detent("batches", "list").out
    shown = near.json("batches", "show", batch, "--results")
    assert [result["status"] for result in shown["results"]] == ["CANCELED", "QUEUED"]
    assert shown["runs"] == [run.id for run in runs]
    first = near.detent("batches", "show", batch, "--limit", "1")
    assert (runs[0].id in first.out, "--cursor 1" in first.err) == (True, True)
    assert "a mistake" in near.detent("batches", "show", batch, "--results").out
    assert near.detent("batches", "show", "batch_1").status == 1
