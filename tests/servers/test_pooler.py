from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from typing import LiteralString

import psycopg
import pytest
from tests.servers.pooler import POOLERS, PgBouncer, Pooler
from tests.servers.postgresql import fresh_database, shared_postgresql
from tests.servers.process import until


@pytest.fixture
def pooler() -> Iterator[Pooler]:
    with Pooler(shared_postgresql().port, size=2) as pooler:
        yield pooler


@pytest.fixture
def url(pooler: Pooler) -> Iterator[str]:
    with fresh_database() as url:
        yield through(pooler, url)


def through(pooler: Pooler | PgBouncer, url: str) -> str:
    return url.replace(f":{shared_postgresql().port}/", f":{pooler.port}/")


def number(db: psycopg.Connection, text: LiteralString) -> object:
    row = db.execute(text).fetchone()
    assert row is not None
    return row[0]


def test_many_clients_share_few_sessions(pooler: Pooler, url: str) -> None:
    with ExitStack() as stack:
        clients = [
            stack.enter_context(psycopg.connect(url, autocommit=True, prepare_threshold=None)) for _ in range(20)
        ]
        pids = {number(client, "SELECT pg_backend_pid()") for client in clients for _ in range(3)}
        with psycopg.connect(url) as db:
            db.execute("CREATE TABLE notes (n BIGINT)")

        def write(client: psycopg.Connection) -> None:
            for n in range(10):
                with client.transaction():
                    client.execute("INSERT INTO notes VALUES (%s)", [n])

        threads = [threading.Thread(target=write, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert number(clients[0], "SELECT count(*) FROM notes") == 200
    assert len(pids) <= 2
    assert pooler.sessions == 2
    assert pooler.transactions > 200


def test_a_transaction_keeps_its_session_and_nothing_of_a_session_survives_it(pooler: Pooler, url: str) -> None:
    with psycopg.connect(url) as one, psycopg.connect(url) as other:
        one.execute("SET LOCAL statement_timeout = 777")
        one.execute("SET application_name = 'mine'")
        assert number(other, "SHOW statement_timeout") == "0"
        assert number(one, "SHOW statement_timeout") == "777ms"
        one.commit()
        other.commit()
        assert number(one, "SHOW application_name") == ""
        assert number(one, "SELECT pg_try_advisory_lock(7)") is True
        one.commit()
        assert number(other, "SELECT pg_try_advisory_lock(7)") is True


def test_a_prepared_statement_is_gone_after_its_transaction(pooler: Pooler, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.prepare_threshold = 0
        with db.transaction():
            assert [number(db, "SELECT 40 + 2") for _ in range(2)] == [42, 42]
        with pytest.raises(psycopg.errors.InvalidSqlStatementName):
            number(db, "SELECT 40 + 2")
        db.prepare_threshold = None
        assert number(db, "SELECT 40 + 2") == 42


def test_pipelines_errors_copies_and_cancellations_pass(pooler: Pooler, url: str) -> None:
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as db:
        db.execute("CREATE TABLE notes (n BIGINT)")
        with db.pipeline(), db.transaction():
            for n in range(50):
                db.execute("INSERT INTO notes VALUES (%s)", [n])
        with pytest.raises(psycopg.errors.DivisionByZero), db.transaction():
            db.execute("INSERT INTO notes VALUES (1 / 0)")
        with db.cursor() as cursor, cursor.copy("COPY notes FROM STDIN") as copy:
            for n in range(50, 100):
                copy.write_row([n])
        assert number(db, "SELECT count(*) FROM notes") == 100
        with db.transaction():
            canceller = threading.Thread(target=cancel_sleep, args=(db,))
            canceller.start()
            with pytest.raises(psycopg.errors.QueryCanceled), db.transaction():
                db.execute("SELECT pg_sleep(60)")
            canceller.join()
            assert number(db, "SELECT 1") == 1


def cancel_sleep(db: psycopg.Connection) -> None:
    sleeps = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(60)' AND state = 'active'"
    until("a session that sleeps", lambda: number(shared_postgresql().admin(), sleeps) == 1)
    db.cancel_safe()


def test_one_who_leaves_in_the_middle_loses_only_that_transaction(pooler: Pooler, url: str) -> None:
    with psycopg.connect(url, autocommit=True) as db:
        db.execute("CREATE TABLE notes (n BIGINT)")
        for _ in range(3):
            leaver = psycopg.connect(url)
            leaver.execute("INSERT INTO notes VALUES (1)")
            leaver.close()
        assert number(db, "SELECT count(*) FROM notes") == 0
        with pytest.raises(psycopg.OperationalError, match="does not exist"):
            psycopg.connect(f"{url}_other")


@pytest.mark.parametrize("kind", POOLERS)
def test_whichever_pooler_stands_between_clients_share_sessions(kind: type[Pooler] | type[PgBouncer]) -> None:
    with kind(shared_postgresql().port) as pooler, fresh_database() as url, ExitStack() as stack:
        there = through(pooler, url)
        clients = [stack.enter_context(psycopg.connect(there, autocommit=True)) for _ in range(10)]
        assert len({number(client, "SELECT pg_backend_pid()") for client in clients}) <= 2
