"""PostgreSQL databases with detent's schema, for tests."""

from __future__ import annotations

from functools import cache

import psycopg
from tests.servers.postgresql import shared_postgresql

from detent.store.postgresql import PostgresStore

__all__ = ["emptied", "migrated"]

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
    return shared_postgresql().create_database(migrated)


def emptied() -> str:
    """The URL of a database in which nothing is but the schema.

    All tests of this process that ask have it one after the other: quicker than one that is made for each.
    """
    url = _own_database()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_EMPTY)
    return url
