from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database, shared_postgresql

from detent.errors import StoreError
from detent.store import Tx
from detent.store.postgresql import PostgresStore, without_password


@pytest.fixture
def url() -> Iterator[str]:
    with fresh_database(migrated) as url:
        yield url


@pytest.fixture
def store(url: str) -> Iterator[PostgresStore]:
    store = PostgresStore(url)
    yield store
    store.close()


def put(name: str) -> Any:
    def operation(tx: Tx) -> str:
        tx.run("keep_setting", name=name, value=name)
        return name

    return operation


def value(store: PostgresStore, name: str) -> str | None:
    rows = store.read("find_setting", name=name)
    return rows[0]["value"] if rows else None


def bad(tx: Tx) -> None:
    tx.run("keep_setting", name="bad", value="bad")
    raise ValueError("bad operation")


def end_connections(url: str, but: psycopg.Connection[Any] | None = None) -> None:
    """As a server does that restarts, or an administrator."""
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_a_bad_operation_fails_alone_and_its_neighbours_are_committed(store: PostgresStore) -> None:
    one, failure, three = store.write_all([put("one"), bad, put("three")])
    assert (one, three) == ("one", "three")
    assert isinstance(failure, ValueError)
    assert (value(store, "one"), value(store, "bad"), value(store, "three")) == ("one", None, "three")


def test_many_writers_of_two_processes_are_all_acknowledged_and_all_there(url: str, store: PostgresStore) -> None:
    other = PostgresStore(url)
    wanted = [f"{n}" for n in range(200)]
    said: list[str] = []

    def write(stores: PostgresStore, names: list[str]) -> None:
        said.extend(stores.write(put(name)) for name in names)

    threads = [
        threading.Thread(target=write, args=(store if n % 2 else other, wanted[n * 20 : n * 20 + 20]))
        for n in range(10)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(said) == sorted(wanted)
    assert store.read_sql("SELECT count(*) AS n FROM settings", {})[0]["n"] >= 200
    other.close()


def test_rows_are_numbered_in_the_order_of_the_commits_of_all_processes(url: str, store: PostgresStore) -> None:
    """Who follows the history reads on from the last number: none may come in below it later."""
    other = PostgresStore(url)
    entered, go, seen = threading.Event(), threading.Event(), threading.Event()

    def record(tx: Tx) -> None:
        event = {"run_id": "run_a", "at": 1, "kind": "trigger", "state": "QUEUED", "epoch": 0, "attempt": 1}
        tx.many("record_event", [event | {"worker_id": None, "data": None}])

    def slow(tx: Tx) -> None:
        record(tx)
        entered.set()
        go.wait(10)

    def quick() -> None:
        other.write(record)
        seen.set()

    first = threading.Thread(target=store.write, args=(slow,))
    first.start()
    entered.wait(10)
    second = threading.Thread(target=quick)
    second.start()
    assert not seen.wait(0.1)
    go.set()
    first.join()
    second.join()
    assert [row["seq"] for row in store.read_sql("SELECT seq FROM events ORDER BY seq", {})] == [1, 2]
    other.close()


def test_a_connection_that_was_ended_is_made_anew_by_the_next_write_and_the_next_read(
    url: str, store: PostgresStore
) -> None:
    store.write(put("one"))
    value(store, "one")
    end_connections(url)
    assert store.write(put("two")) == "two"
    end_connections(url)
    assert value(store, "two") == "two"


def test_an_operation_whose_connection_is_ended_in_the_middle_is_done_once_by_another(
    url: str, store: PostgresStore
) -> None:
    calls = []

    def unlucky(tx: Tx) -> int:
        calls.append(tx)
        tx.run("keep_setting", name=f"call {len(calls)}", value="x")
        if len(calls) == 1:
            end_connections(url)
        return tx.run("keep_setting", name="end", value="x")

    assert store.write(unlucky) == 1
    assert (value(store, "call 1"), value(store, "call 2"), value(store, "end")) == (None, "x", "x")


def test_what_is_to_be_done_after_a_commit_is_done_when_others_can_read_it(store: PostgresStore) -> None:
    found: list[str | None] = []

    def operation(tx: Tx) -> None:
        tx.run("keep_setting", name="a", value="a")
        tx.after_commit(lambda: found.append(value(store, "a")))

    store.write_all([operation, put("b")])
    assert found == ["a"]


def test_a_store_that_is_closed_refuses_and_does_not_break(store: PostgresStore) -> None:
    store.close()
    with pytest.raises(StoreError, match="the store is closed"):
        store.write(put("late"))


def test_two_that_come_at_once_make_one_schema() -> None:
    with fresh_database() as url:
        stores: list[PostgresStore] = []
        threads = [threading.Thread(target=lambda: stores.append(PostgresStore(url))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.write(put(f"{n}")) for n, store in enumerate(stores)] == ["0", "1", "2", "3"]
        for store in stores:
            store.close()


def test_a_newer_schema_is_refused_with_both_versions(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("UPDATE detent.schema_version SET version = 999")
    with pytest.raises(StoreError, match=r"has schema 999, this detent knows \d+; upgrade detent"):
        PostgresStore(url)


def test_an_older_schema_is_refused_by_who_may_not_change_it() -> None:
    with fresh_database() as url, pytest.raises(StoreError, match="run `detent migrate`"):
        PostgresStore(url, migrate=False)


def test_the_tables_of_an_application_may_have_the_same_names() -> None:
    with fresh_database() as url:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute("CREATE TABLE runs (miles INT)")
            db.execute("CREATE TABLE settings (colour TEXT)")
        store = PostgresStore(url)
        store.write(put("a"))
        assert value(store, "a") == "a"
        store.close()


def test_a_database_that_is_not_there_is_named_with_what_to_do() -> None:
    address = shared_postgresql().url_of("nowhere")
    with pytest.raises(StoreError, match=r"has no such database .*make it with `createdb`"):
        PostgresStore(address)


def test_a_password_is_in_no_message() -> None:
    address = "postgresql://app:hunter2@db.example:5432/app"
    assert without_password(address) == "postgresql://app:***@db.example:5432/app"
    with pytest.raises(StoreError) as caught:
        PostgresStore(shared_postgresql().url_of("nowhere").replace("postgres@", "postgres:hunter2@"))
    assert "hunter2" not in str(caught.value)


def test_time_is_that_of_the_database(store: PostgresStore) -> None:
    store.write(put("a"))
    [row] = store.read_sql("SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT) AS now", {})
    assert abs(store.clock.now() - row["now"]) < 1_000
