"""Finished runs go when they have been kept long enough, with all that belongs to them and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.engine.bench import Bench, new

from detent.engine import Engine
from detent.model.protocol import Done
from detent.objects import open_store

TABLES = ("runs", "journal", "children", "waits", "events", "batches", "run_tags", "run_notes")
DAY_S = 86_400


class Keeper(Bench):
    """A bench that keeps finished runs for one day and notes what it removes."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.removed: list[str] = []
        self.objects = open_store("memory://")
        self.engine = Engine(
            self.store, self.clock, retention_ms=DAY_S * 1000, on_remove=self.removed.extend, objects=self.objects
        )

    def left(self) -> list[str]:
        """The objects that are there when the engine has deleted what it may."""
        self.engine.delete_removed_objects()
        return sorted(self.objects.list())

    def rows(self) -> dict[str, int]:
        return {table: self.count(f"SELECT count(*) FROM {table}") for table in TABLES}

    def there(self, run_id: str) -> bool:
        return bool(self.store.read("has_run", id=run_id))


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[Keeper]:
    keeper = Keeper(tmp_path)
    yield keeper
    keeper.close()


def test_a_finished_run_goes_with_all_that_belongs_to_it(keeper: Keeper) -> None:
    worker = keeper.worker("parent", "child")
    before = keeper.rows()
    keeper.engine.trigger([new("parent", tags=["a", "b"], batch_id="batch_1")], batch_id="batch_1")
    worker.fan_out(worker.take(), "1", "child", "child")
    worker.work_off()
    keeper.clock.forward(DAY_S - 1)
    assert keeper.engine.remove_old_runs() == 0

    keeper.clock.forward(1)

    assert keeper.engine.remove_old_runs() == 3
    assert keeper.rows() == before
    assert keeper.engine.remove_old_runs() == 0


def test_what_has_not_ended_stays_however_old_it_is(keeper: Keeper) -> None:
    worker = keeper.worker("parent", "child")
    keeper.trigger("parent")
    keeper.trigger("child", delay_ms=10 * DAY_S * 1000)
    worker.fan_out(worker.take(), "1", "child")
    keeper.clock.forward(5 * DAY_S)
    assert keeper.engine.remove_old_runs() == 0
    assert keeper.rows()["runs"] == 3


def test_the_result_of_a_child_stays_as_long_as_a_run_may_ask_for_it_again(keeper: Keeper) -> None:
    worker = keeper.worker("parent", "child")
    keeper.trigger("parent")
    [child] = worker.fan_out(worker.take(), "1", "child")
    worker.finish(worker.take())
    grant = worker.take()
    keeper.clock.forward(2 * DAY_S)
    assert keeper.engine.remove_old_runs() == 0
    assert keeper.there(child)

    assert worker.finish(grant) == Done()
    keeper.clock.forward(DAY_S - 1)
    assert keeper.engine.remove_old_runs() == 0
    keeper.clock.forward(1)
    assert keeper.engine.remove_old_runs() == 2


def test_a_run_stays_while_an_idempotency_key_leads_to_it(keeper: Keeper) -> None:
    worker = keeper.worker()
    run = keeper.trigger(idempotency_key="k", idempotency_ttl_ms=3 * DAY_S * 1000)
    worker.finish(worker.take())
    keeper.clock.forward(2 * DAY_S)
    assert keeper.engine.remove_old_runs() == 0
    assert keeper.trigger_all([new(idempotency_key="k")])[0].id == run
    keeper.clock.forward(DAY_S)
    assert keeper.engine.remove_old_runs() == 1


def test_large_texts_go_with_the_last_run_that_holds_them(keeper: Keeper) -> None:
    worker = keeper.worker()
    for key in ("payloads/shared", "outputs/first", "outputs/second", "audio/of-the-user"):
        keeper.objects.put(key, b"1")
    first = keeper.trigger(payload=None, payload_ref="payloads/shared")
    worker.finish(worker.take(), output_ref="outputs/first")
    keeper.clock.forward(DAY_S / 2)
    keeper.trigger(payload=None, payload_ref="payloads/shared")
    worker.finish(worker.take(), output_ref="outputs/second")

    keeper.clock.forward(DAY_S / 2)
    assert keeper.engine.remove_old_runs() == 1
    assert keeper.removed == [first]
    assert keeper.left() == ["audio/of-the-user", "outputs/second", "payloads/shared"]

    keeper.clock.forward(DAY_S / 2)
    assert keeper.engine.remove_old_runs() == 1
    assert keeper.left() == ["audio/of-the-user"]


def test_old_runs_go_in_batches_so_that_triggers_get_in_between(keeper: Keeper) -> None:
    worker = keeper.worker()
    keeper.trigger_all([new() for _ in range(700)])
    worker.work_off(250)
    keeper.clock.forward(DAY_S)
    assert [keeper.engine.remove_old_runs() for _ in range(3)] == [500, 200, 0]
    assert len(keeper.removed) == 700


def test_runs_are_kept_for_ever_unless_the_project_says_otherwise(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    worker.work_off()
    bench.clock.forward(1_000 * DAY_S)
    assert bench.engine.remove_old_runs() == 0
    assert bench.count("SELECT count(*) FROM runs") == 1
