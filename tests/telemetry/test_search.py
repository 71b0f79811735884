from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import pytest
from tests.telemetry.conftest import MakeStore

from detent.model.log_query import LineQuery
from detent.model.protocol import Emit, LogLine
from detent.telemetry import Telemetry, TelemetryStore
from detent.telemetry.search import search_lines

#: A file as it was before lines knew their environment.
OLD = """
CREATE TABLE lines (seq INTEGER PRIMARY KEY, run_id TEXT NOT NULL, attempt INTEGER NOT NULL, at INTEGER NOT NULL,
    level INTEGER NOT NULL, message TEXT NOT NULL, attributes TEXT, span_id TEXT, source TEXT NOT NULL);
CREATE TABLE spans (run_id TEXT NOT NULL, id TEXT NOT NULL, parent_id TEXT, attempt INTEGER NOT NULL,
    name TEXT NOT NULL, kind TEXT NOT NULL, start INTEGER NOT NULL, end INTEGER NOT NULL, ok INTEGER NOT NULL,
    attributes TEXT, PRIMARY KEY (run_id, id)) WITHOUT ROWID;
INSERT INTO lines VALUES (1, 'run_old', 1, 1000, 1, 'of old', NULL, NULL, 'logger');
"""
HOUR = 3_600_000


@pytest.fixture
def store(make_store: MakeStore) -> Telemetry:
    return make_store()


def write(store: Telemetry, *texts: str, run: str = "run_a", env: str = "dev", task: str = "t", **more: Any) -> None:
    level, at, attributes = more.get("level", "info"), more.get("at", 1_000), more.get("attributes")
    lines = [LogLine(at, level, text, attributes, None, "logger") for text in texts]
    store.append(Emit(run, 1, logs=lines), env, task)


def found(store: Telemetry, **query: Any) -> list[str]:
    return [row["message"] for row in store.search(LineQuery(query.pop("env", "dev"), **query))[0]]


def test_text_is_found_in_messages_and_attributes_in_either_case_and_is_no_pattern(store: Telemetry) -> None:
    write(store, "Rate limit of 100%", "rate_limit", "rateXlimit", "fine")
    write(store, "called", attributes='{"why":"RATE LIMIT"}')
    assert found(store, text="rate limit") == ["called", "Rate limit of 100%"]
    assert found(store, text="rate_limit") == ["rate_limit"]
    assert found(store, text="100%") == ["Rate limit of 100%"]
    assert found(store, text="\\") == []


def test_each_filter_fits_alone_and_with_the_others(store: Telemetry) -> None:
    write(store, "one", level="debug")
    write(store, "two", level="warn", task="u")
    write(store, "three", level="error", run="run_b", task="u", at=1_000 + HOUR)
    assert found(store, level="warn") == ["three", "two"]
    assert found(store, level="error", task="u") == ["three"]
    assert found(store, level="info", oldest_first=True) == ["two", "three"]
    assert found(store, task="u", run="run_a") == ["two"]
    assert found(store, run="run_a", level="warn") == ["two"]
    assert found(store, since=1_000 + HOUR) == ["three"]
    assert found(store, until=1_000 + HOUR) == ["two", "one"]
    assert found(store, since=999_999_999_999) == []


def test_lines_of_another_environment_are_never_found(store: Telemetry) -> None:
    write(store, "mine")
    write(store, "theirs", env="prod", run="run_b", task="u", level="error")
    for query in ({}, {"run": "run_b"}, {"task": "u"}, {"level": "error"}, {"text": "theirs"}, {"oldest_first": True}):
        assert "theirs" not in found(store, **query)
    assert found(store, env="prod") == ["theirs"]


@pytest.mark.parametrize("oldest_first", [False, True])
def test_pages_go_through_all_lines_once_in_order_while_others_arrive(store: Telemetry, oldest_first: bool) -> None:
    write(store, *[f"line {n}" for n in range(25)])
    seqs: list[int] = []
    after = None
    while True:
        rows, after = store.search(LineQuery("dev", text="line", oldest_first=oldest_first, after=after, limit=10))
        seqs += [row["seq"] for row in rows]
        if after is None:
            break
        if not oldest_first:
            write(store, "line of later")
    assert seqs == sorted(range(1, 26), reverse=not oldest_first)


@pytest.mark.parametrize("oldest_first", [False, True])
def test_what_fits_rarely_is_looked_for_in_bounded_stretches(store: Telemetry, oldest_first: bool) -> None:
    # Given one line that fits among many, and no time for more than one stretch
    write(store, *["dull"] * 50, "bright", *["dull"] * 49)
    calls = 0
    after, rows = None, []
    # When it is looked for ten lines at a time
    while True:
        query = LineQuery("dev", text="bright", oldest_first=oldest_first, after=after)
        store.flush()
        table = "lines" if isinstance(store, TelemetryStore) else "log_lines"
        more, after = search_lines(store._read, query, table=table, stretch=10, most_s=0)  # type: ignore[attr-defined]
        calls += 1
        rows += more
        if after is None:
            break
    # Then every stretch is one call, and the line is found once
    assert (calls, [row["seq"] for row in rows]) == (10, [51])


def test_a_file_of_an_older_version_is_searched_too(tmp_path: Path) -> None:
    path = tmp_path / "telemetry.db"
    with sqlite3.connect(path) as old:
        old.executescript(OLD)
    old.close()
    store = TelemetryStore(path)
    assert found(store, text="of old") == ["of old"]
    write(store, "of new")
    assert found(store) == ["of new", "of old"]
    store.close()


def test_without_a_file_nothing_is_found_and_none_is_made(tmp_path: Path) -> None:
    store = TelemetryStore(tmp_path / "telemetry.db")
    assert found(store, text="x") == []
    assert not store.path.exists()
    store.close()
