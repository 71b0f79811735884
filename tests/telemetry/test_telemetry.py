from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from tests.telemetry.conftest import MakeStore

from detent.model.limits import LOG_LINE_CHARS, LOG_LINES_PER_RUN, SPANS_PER_RUN
from detent.model.protocol import Emit, LogLine, SpanLine
from detent.telemetry import TelemetryStore


def line(text: str, level: str = "info") -> LogLine:
    return LogLine(1_000, level, text, None, None, "logger")


def span(name: str) -> SpanLine:
    return SpanLine(name, None, name, "user", 1, 2, True, None)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".detent" / "telemetry.db"


def test_lines_and_spans_come_back_in_order_each_to_its_run(make_store: MakeStore) -> None:
    store = make_store()
    store.append(Emit("run_a", 1, logs=[line("one"), line("two", "error")], spans=[span("s")]))
    store.append(Emit("run_b", 1, attempt=2, logs=[line("other")]))

    assert [row["message"] for row in store.logs("run_a")] == ["one", "two"]
    assert [row["message"] for row in store.logs("run_a", level="warn")] == ["two"]
    assert [row["attempt"] for row in store.logs("run_b")] == [2]
    assert [row["name"] for row in store.spans("run_a")] == ["s"]
    assert store.spans("run_b") == []


def test_what_was_taken_is_there_after_the_store_was_closed_and_opened(make_store: MakeStore) -> None:
    store = make_store()
    store.append(Emit("run_a", 1, logs=[line("one")]))
    store.close()
    store.append(Emit("run_a", 1, logs=[line("too late")]))

    again = make_store()
    assert [row["message"] for row in again.logs("run_a")] == ["one"]


def test_a_run_that_writes_nothing_makes_no_file(path: Path) -> None:
    store = TelemetryStore(path)

    assert store.logs("run_a") == []
    assert store.spans("run_a") == []
    store.close()
    assert not path.exists()


def test_a_run_keeps_so_many_lines_and_one_more_that_counts_the_rest(make_store: MakeStore) -> None:
    store = make_store()
    for _ in range(4):
        store.append(Emit("run_a", 1, logs=[line("x")] * (LOG_LINES_PER_RUN // 2), dropped=10))
    store.append(Emit("run_a", 1, spans=[span(f"s{n}") for n in range(SPANS_PER_RUN + 3)]))
    store.flush()
    store.append(Emit("run_a", 1, logs=[line("late")]))
    store.append(Emit("run_b", 1, logs=[line("other")]))

    rows = store.logs("run_a", limit=100_000)

    notes = [row for row in rows if row["source"] == "detent"]
    assert len(rows) == LOG_LINES_PER_RUN + 1
    assert [row["message"] for row in notes] == [
        "not kept: 10,041 log lines (a run keeps 10,000) and 3 spans (a run keeps 5,000)"
    ]
    assert len(store.spans("run_a")) == SPANS_PER_RUN
    assert len(store.logs("run_b")) == 1


def test_the_count_of_what_was_kept_outlives_the_process(make_store: MakeStore) -> None:
    first = make_store()
    first.append(Emit("run_a", 1, logs=[line("x")] * LOG_LINES_PER_RUN))
    first.close()
    second = make_store()
    second.append(Emit("run_a", 1, logs=[line("y")]))

    rows = second.logs("run_a", limit=100_000)

    assert [row["message"] for row in rows if row["message"] != "x"] == ["not kept: 1 log lines (a run keeps 10,000)"]


def test_a_line_of_a_megabyte_is_cut(make_store: MakeStore) -> None:
    store = make_store()
    store.append(Emit("run_a", 1, logs=[line("x" * 1_000_000)]))

    assert len(store.logs("run_a")[0]["message"]) == LOG_LINE_CHARS


def test_a_file_that_cannot_be_written_is_told_once_and_hurts_nobody(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path.parent.mkdir()
    path.mkdir()
    store = TelemetryStore(path)

    for _ in range(3):
        store.append(Emit("run_a", 1, logs=[line("lost")]))
        assert store.flush()

    assert store.logs("run_a") == []
    assert caplog.text.count("cannot be written") == 1
    path.rmdir()
    store.append(Emit("run_a", 1, logs=[line("kept")]))
    assert [row["message"] for row in store.logs("run_a")] == ["kept"]
    store.close()


def test_a_file_that_is_locked_delays_no_append(path: Path) -> None:
    store = TelemetryStore(path)
    store.append(Emit("run_a", 1, logs=[line("one")]))
    store.flush()
    other = sqlite3.connect(path)
    other.execute("BEGIN IMMEDIATE")

    for _ in range(1_000):
        store.append(Emit("run_a", 1, logs=[line("more")]))
    # An append that waited for the lock would not have come back: the lock is let go only now.
    other.rollback()
    other.close()
    assert len(store.logs("run_a", limit=5_000)) == 1_001
    store.close()


def test_a_span_that_arrives_twice_is_kept_once(make_store: MakeStore) -> None:
    store = make_store()
    for _ in range(2):
        store.append(Emit("run_a", 1, spans=[span("s")]))

    assert len(store.spans("run_a")) == 1


def test_what_is_forgotten_is_gone_and_the_rest_stays(make_store: MakeStore) -> None:
    store = make_store()
    for run_id in ("run_a", "run_b"):
        store.append(Emit(run_id, 1, logs=[line("one")], spans=[span("s")], dropped=1))

    store.forget(["run_a", "run_none"])

    assert store.logs("run_a") == store.spans("run_a") == []
    assert len(store.logs("run_b")) == 2
    store.append(Emit("run_a", 1, logs=[line("anew")]))
    assert [row["message"] for row in store.logs("run_a")] == ["anew"]


def test_to_forget_runs_that_wrote_nothing_makes_no_file(path: Path) -> None:
    store = TelemetryStore(path)
    store.forget(["run_a"])
    store.close()
    assert not path.exists()
