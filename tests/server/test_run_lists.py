"""Lists of runs stay fast however many there are: each filter reads an index in the order of the page."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from tests.server.project import Project

from detent.engine.operations import Operations
from detent.engine.run_lists import RunFilter, page_of_runs
from detent.store import SqliteStore
from detent.store.statements import statements


class Watched:
    """A store that remembers the SELECTs that were put together."""

    def __init__(self, store: SqliteStore) -> None:
        self._store = store
        self.selects: list[tuple[str, Mapping[str, Any]]] = []

    def read_sql(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        self.selects.append((sql, values))
        return self._store.read_sql(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


@pytest.fixture
def database(project: Project) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(project.store.path)) as database:
        yield database


def plan(database: sqlite3.Connection, sql: str, values: Mapping[str, Any]) -> str:
    return "\n".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (RunFilter(), "INTEGER PRIMARY KEY"),
        (RunFilter(status=("FAILED",)), "runs_by_state"),
        (RunFilter(status=("EXECUTING",)), "runs_by_state"),
        (RunFilter(task=("plain",)), "runs_by_task"),
        (RunFilter(queue="typed"), "runs_by_queue"),
        (RunFilter(tag=("red",)), "PRIMARY KEY"),
        (RunFilter(batch="batch_1"), "runs_batch"),
        (RunFilter(parent="run_1"), "runs_parent"),
        (RunFilter(search="boom"), "runs_with_error"),
        (RunFilter(status=("FAILED",), task=("plain",)), "runs_by_"),
        (RunFilter(status=("FAILED", "CRASHED"), queue="typed", since=1, until=2**40), "runs_by_"),
    ],
)
def test_each_filter_reads_an_index_and_sorts_nothing(
    project: Project, database: sqlite3.Connection, wanted: RunFilter, index: str
) -> None:
    watched = Watched(project.store)

    page_of_runs(watched, "dev", wanted, 25, None)

    pages = [(sql, values) for sql, values in watched.selects if "ORDER BY" in sql]
    assert pages
    for sql, values in pages:
        shown = plan(database, sql, values)
        assert index in shown
        assert not re.search(r"^SCAN r\b|TEMP B-TREE", shown, re.MULTILINE), shown


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("count_running", "runs_executing"),
        ("count_running_of_key", "runs_executing"),
        ("queue_position", "runs_queued"),
        ("view_queues", "runs_executing"),
    ],
)
def test_the_indexes_of_lists_do_not_lure_the_engine_away_from_its_own(
    database: sqlite3.Connection, statement: str, index: str
) -> None:
    sql = statements("sqlite")[statement]
    values = dict.fromkeys(re.findall(r":(\w+)", sql), "x")

    assert index in plan(database, sql, values)


def test_a_page_of_several_statuses_is_merged_newest_first(project: Project) -> None:
    worker = project.worker()
    runs = project.transport
    ids = [made["id"] for made in _trigger(project.operations, 12)]
    for place, grant in enumerate(sorted(worker.claim(12), key=lambda grant: ids.index(grant.run_id))):
        worker.finish(grant, ("COMPLETED", "FAILED", "CANCELED")[place % 3])

    first = runs.call("runs.list", status=["COMPLETED", "FAILED"], limit=5)
    second = runs.call("runs.list", status=["FAILED", "COMPLETED"], limit=5, cursor=first["next_cursor"])

    found = [run["id"] for run in first["items"] + second["items"]]
    assert found == [run_id for place, run_id in reversed(list(enumerate(ids))) if place % 3 != 2]
    assert second["next_cursor"] is None


def test_tags_that_a_run_adds_later_are_found(project: Project) -> None:
    worker = project.worker()
    made = _trigger(project.operations, 1)[0]
    worker.emit(worker.claim()[0], tags=["late"])

    assert [run["id"] for run in project.transport.call("runs.list", tag=["late"])["items"]] == [made["id"]]


def _trigger(operations: Operations, count: int) -> list[dict[str, Any]]:
    from detent.model.ids import new_id
    from detent.model.protocol import NewRun

    runs = [NewRun(new_id("run"), "plain", "1", known=True) for _ in range(count)]
    return [{"id": handle.id} for handle in operations.trigger(runs)]
