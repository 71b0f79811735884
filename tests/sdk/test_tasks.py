"""Tasks by id, and the blocking twins of what starts them."""

from __future__ import annotations

from detent import task
from detent.sync import batch, tasks
from detent.testing import harness


@task(id="tasks-double")
def double(n: int) -> int:
    return 2 * n


def test_an_item_by_id_is_made_by_the_blocking_twin_too() -> None:
    with harness([double]) as h:
        made = batch.trigger([tasks.item("tasks-double", 1), tasks.item("tasks-double", 2, tags=["b"])])
        assert [h.output(run) for run in made.runs] == [2, 4]


def test_a_batch_of_nothing_is_accepted() -> None:
    with harness([double]):
        assert list(tasks.batch_trigger("tasks-double", []).runs) == []
        assert list(double.sync.batch_trigger([]).runs) == []
