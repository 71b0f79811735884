from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from pathlib import Path
from typing import Any

import psycopg
import pytest
from tests.engine.bench import Bench
from tests.servers.postgresql import shared_postgresql

from detent.store.postgresql import PostgresStore

DIALECTS = ("sqlite", "postgresql")

_EMPTY = """
SET session_replication_role = replica;
DO $$
DECLARE
    name TEXT;
BEGIN
    FOR name IN SELECT tablename FROM pg_tables WHERE schemaname = 'detent' AND tablename <> 'schema_version' LOOP
        EXECUTE format('DELETE FROM detent.%I', name);
    END LOOP;
    FOR name IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'detent' AND last_value IS NOT NULL LOOP
        EXECUTE format('ALTER SEQUENCE detent.%I RESTART', name);
    END LOOP;
END $$
"""


def migrated(url: str) -> None:
    """Bring the database at `url` to the present schema."""
    PostgresStore(url).close()


@cache
def _own_database() -> str:
    """The database that the benches of this process use one after the other."""
    return shared_postgresql().create_database(migrated)


def emptied() -> str:
    """The URL of a database in which nothing is but the schema: quicker than one that is made for each test."""
    url = _own_database()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_EMPTY)
    return url


@pytest.fixture(params=DIALECTS)
def make_bench(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    """Makes benches, each on a store of its own, in turn of both kinds."""
    with ExitStack() as places:

        def make(**limits: Any) -> Bench:
            url = emptied() if request.param == "postgresql" else ""
            bench = Bench(tmp_path, url, **limits)
            places.callback(bench.close)
            return bench

        yield make


@pytest.fixture
def bench(make_bench: Callable[..., Bench]) -> Bench:
    return make_bench()
