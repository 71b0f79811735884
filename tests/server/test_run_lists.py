"""Lists of runs stay fast however many there are: each filter reads an index in the order of the page."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest
from tests.server.project import Project

from detent.engine import run_lists
from detent.engine.operations import Operations
from detent.engine.run_lists import RunFilter, page_of_runs
from detent.errors import InvalidOptions
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
def db(project: Project) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(project.store.path)) as opened:
        yield opened


def plan(database: sqlite3.Connection, sql: str, values: Mapping[str, Any]) -> str:
    return "\n".join(row[3] for row in database.execute(f"EXPLAIN QUERY PLAN {sql}", values))


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (RunFilter(), "runs_by_state"),
        (RunFilter(status=("FAILED",)), "runs_by_state"),
        (RunFilter(status=("EXECUTING",)), "runs_by_state"),
        (RunFilter(task=("plain",)), "runs_by_task"),
        (RunFilter(queue="typed"), "runs_by_queue"),
        (RunFilter(tag=("red",)), "PRIMARY KEY"),
        (RunFilter(batch="batch_1"), "runs_batch"),
        (RunFilter(parent="run_1"), "runs_parent"),
        (RunFilter(search="boom"), "runs_with_error"),
        (RunFilter(error="boom"), "runs_with_error"),
        (RunFilter(root="run_1"), "runs_by_root"),
        (RunFilter(version=("20261122.1", "20261122.2")), "runs_by_version"),
        (RunFilter(tag=("red", "blue"), error="boom"), "PRIMARY KEY"),
        (RunFilter(status=("FAILED",), task=("plain",)), "runs_by_"),
        (RunFilter(status=("FAILED", "CRASHED"), queue="typed", since=1, until=2**40), "runs_by_"),
    ],
)
def test_each_filter_reads_an_index_and_sorts_nothing(
    project: Project, db: sqlite3.Connection, wanted: RunFilter, index: str
) -> None:
    watched = Watched(project.store)

    page_of_runs(watched, "dev", wanted, 25, None)

    pages = [(sql, values) for sql, values in watched.selects if "ORDER BY" in sql]
    assert pages
    for sql, values in pages:
        shown = plan(db, sql, values)
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
    db: sqlite3.Connection, statement: str, index: str
) -> None:
    sql = statements("sqlite")[statement]
    values = dict.fromkeys(re.findall(r":(\w+)", sql), "x")

    assert index in plan(db, sql, values)


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


def test_a_page_looks_at_a_bounded_number_of_rows_and_the_next_one_goes_on_there(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given runs that failed, of which only the oldest did for the reason that is looked for
    monkeypatch.setattr(run_lists, "_LOOKED_AT", 3)
    worker = project.worker()
    for _ in range(8):
        _trigger(project.operations, 1)
    grants = sorted(worker.claim(8), key=lambda grant: project.store.read("find_run", id=grant.run_id)[0]["seq"])
    for place, grant in enumerate(grants):
        error = {"type": "ValueError", "message": "no luck" if place else "no Money", "traceback": "luck and money"}
        worker.finish(grant, "FAILED", error=json.dumps(error))

    # When
    pages, found, cursor = 0, [], None
    while pages == 0 or cursor is not None:
        page = project.transport.call("runs.list", error="money", limit=2, **({"cursor": cursor} if cursor else {}))
        found += [run["id"] for run in page["items"]]
        pages, cursor = pages + 1, page["next_cursor"]

    # Then each page stopped after three, and the message counts, not the traceback
    assert found == [grants[0].run_id]
    assert pages == 3


def test_pages_stay_where_they_are_while_runs_arrive(project: Project) -> None:
    ids = [made["id"] for made in _trigger(project.operations, 5)]
    first = project.transport.call("runs.list", limit=2, status=["QUEUED", "DELAYED"])
    _trigger(project.operations, 5)
    second = project.transport.call("runs.list", limit=3, cursor=first["next_cursor"], status=["QUEUED", "DELAYED"])

    assert [run["id"] for run in first["items"] + second["items"]] == list(reversed(ids))


def test_runs_are_found_by_version_root_and_period_and_by_the_other_names_of_times(project: Project) -> None:
    worker = project.worker()
    [made] = _trigger(project.operations, 1)
    worker.claim()
    call = project.transport.call

    def found(**wanted: Any) -> list[str]:
        return [run["id"] for run in call("runs.list", **wanted)["items"]]

    assert found(version=["20261122.1", "other"]) == [made["id"]]
    assert found(version="other") == found(root=made["id"]) == []
    assert found(period="1h") == found(**{"from": "2020-01-01T00:00:00Z", "to": "2120-01-01T00:00:00Z"}) == [made["id"]]
    assert found(to="2020-01-01T00:00:00Z") == []
    for wrong in ({"from": "2020-01-01T00:00:00Z", "since": "2020-01-01T00:00:00Z"}, {"period": "soon"}):
        with pytest.raises(InvalidOptions):
            found(**wrong)
    with pytest.raises(InvalidOptions, match="leave one"):
        found(period="1h", since="2020-01-01T00:00:00Z")


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
