"""Lines and spans in a database that several processes share, that may be away, and that does not take everything."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from psycopg import sql
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database, shared_postgresql

from detent.model.protocol import Emit, LogLine, SpanLine
from detent.telemetry import Telemetry, open_telemetry
from detent.telemetry.intake import Intake
from detent.telemetry.postgresql import PostgresTelemetry
from detent.telemetry.postgresql_writer import PostgresWriter
from detent.telemetry.told import Told


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database(migrated) as url:
        yield url


def opened(url: str) -> PostgresTelemetry:
    return PostgresTelemetry(url)


def lines(*texts: str, at: int = 1_000) -> list[LogLine]:
    return [LogLine(at, "info", text, None, None, "logger") for text in texts]


def texts(store: Telemetry, run_id: str) -> list[str]:
    return [row["message"] for row in store.logs(run_id)]


def rename(old: str, new: str) -> None:
    """Take a database away from those who use it, or give it back."""
    admin = shared_postgresql().admin()
    admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (old,))
    names = sql.Identifier(old), sql.Identifier(new)
    admin.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(*names))


def test_two_processes_share_what_a_run_wrote_and_its_limits(url: str) -> None:
    one, other = opened(url), opened(url)
    one.append(Emit("run_a", 1, logs=lines("first")))
    one.flush()
    other.append(Emit("run_a", 2, attempt=2, logs=lines("second"), dropped=3))
    other.flush()
    one.append(Emit("run_a", 3, attempt=3, logs=lines("third"), dropped=4))
    one.flush()

    note = "not kept: 7 log lines (a run keeps 10,000)"
    assert texts(other, "run_a") == texts(one, "run_a") == ["first", "second", note, "third"]
    one.close()
    other.close()


def test_what_is_written_while_the_database_is_away_is_kept_and_the_log_says_so(
    url: str, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a database that went away
    name = url.rpartition("/")[2]
    store = opened(url)
    store.append(Emit("run_a", 1, logs=lines("before")))
    assert store.flush()
    rename(name, f"{name}_away")
    # When a run writes meanwhile, and retention forgets another
    store.append(Emit("run_a", 1, logs=lines("during"), spans=[SpanLine("s", None, "s", "user", 1, 2, True, None)]))
    store.forget(["run_b"])
    assert not store.flush()
    assert store.logs("run_a") == []
    rename(f"{name}_away", name)
    # Then all of it is there once the database is
    while not store.flush():
        pass
    assert texts(store, "run_a") == ["before", "during"]
    assert [row["id"] for row in store.spans("run_a")] == ["s"]
    assert "is kept in memory" in caplog.text
    assert "are written" in caplog.text
    assert "0 lines were lost" in caplog.text
    store.close()


def test_beyond_its_room_the_newest_is_dropped_and_counted(url: str, caplog: pytest.LogCaptureFixture) -> None:
    name = url.rpartition("/")[2]
    rename(name, f"{name}_away")
    intake = Intake(PostgresWriter(url), most_waiting=2)
    for text in ("one", "two", "three"):
        intake.take(Told(Emit("run_a", 1, logs=lines(text)), "dev", "t"))
    assert not intake.flush(5.0)
    rename(f"{name}_away", name)
    while not intake.flush(5.0):
        pass
    intake.close()
    store = opened(url)
    assert texts(store, "run_a") == ["one", "two"]
    assert "1 lines were lost" in caplog.text
    store.close()


def test_what_is_no_text_or_number_of_the_database_takes_nothing_else_with_it(url: str) -> None:
    store = opened(url)
    store.append(Emit("run_a", 1, logs=lines("one")))
    store.append(Emit("run_b", 1, logs=lines("too late", at=2**70)))
    store.append(Emit("run_a", 1, logs=lines("nul \0, half \ud800, tab \t, \\N")))
    store.append(Emit("run_c", 1, spans=[SpanLine("s", None, "\0", "user", 1, 2, True, None)]))
    assert store.flush()
    assert texts(store, "run_a") == ["one", "nul \ufffd, half ?, tab \t, \\N"]
    assert texts(store, "run_b") == []
    assert [row["name"] for row in store.spans("run_c")] == ["\ufffd"]
    store.close()


def test_a_batch_whose_commit_came_about_unheard_is_not_written_again(url: str) -> None:
    # Given a transaction that wrote a batch, and whose answer was lost with its connection
    told = [Told(Emit("run_a", 1, logs=lines("once")), "dev", "t")]
    writer = PostgresWriter(url)
    writer.write(told, ())
    with psycopg.connect(url) as db:
        [(transaction,)] = db.execute("SELECT CAST(xmin AS TEXT) FROM detent.log_lines").fetchall()
    writer.reopen()
    writer._unsure = (transaction, told)
    # When it is tried again, with more
    writer.write([*told, Told(Emit("run_a", 1, logs=lines("more")), "dev", "t")], ())
    writer.close()
    # Then it is there once
    store = opened(url)
    assert texts(store, "run_a") == ["once", "more"]
    store.close()


def test_a_url_tells_where_lines_are_kept(url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("place") / "telemetry.db"
    kept = open_telemetry("sqlite:///x", path), open_telemetry(url, path)
    assert [store.path for store in kept] == [path, None]
    for store in kept:
        store.close()
