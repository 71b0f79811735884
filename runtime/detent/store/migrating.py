"""The schema of a PostgreSQL database: brought to the present version by whoever comes first."""

from __future__ import annotations

from typing import Any

import psycopg

from ..errors import StoreError
from .dialect import SCHEMA
from .statements import migrations

__all__ = ["migrate", "schema_version"]

#: "detent", and the schema: those who come at once wait for each other here.
_LOCK = int.from_bytes(b"detent1", "big")


def schema_version(db: psycopg.Connection[Any]) -> int:
    """The version of the schema that is there, 0 for none."""
    [(table,)] = db.execute(f"SELECT CAST(to_regclass('{SCHEMA}.schema_version') AS TEXT)").fetchall()
    if table is None:
        return 0
    [(version,)] = db.execute(f"SELECT version FROM {SCHEMA}.schema_version").fetchall()  # noqa: S608  # a constant
    return int(version)


def _is_moving(db: psycopg.Connection[Any]) -> bool:
    [(there,)] = db.execute(f"SELECT (to_regclass('{SCHEMA}.moving') IS NOT NULL)::int").fetchall()
    return bool(there)


def migrate(db: psycopg.Connection[Any], *, url: str, may_change: bool = True, may_be_moving: bool = False) -> int:
    """Bring the database to the present schema, all of it or nothing; how many steps that took.

    Parameters:
      db: an autocommit connection. `url`: for messages. `may_change`: refuse one that is older instead.
      may_be_moving: do not refuse one that everything is just being moved into.

    Errors: `StoreError` for a schema that is newer than this version of detent, and for a database that not all has
    been moved into; `psycopg.Error`.
    """
    if not may_be_moving and _is_moving(db):
        raise StoreError(
            f"not all has been moved into {url} yet; run the same `detent migrate --from URL --to URL` again, which "
            "goes on where it was"
        )
    scripts = migrations("postgresql")
    present = schema_version(db)
    done = 0
    if present < len(scripts):
        if not may_change:
            raise StoreError(f"{url} has schema {present}, this detent needs {len(scripts)}; run `detent migrate`")
        with db.transaction():
            db.execute("SET LOCAL client_min_messages = warning")
            db.execute(f"SELECT pg_advisory_xact_lock({_LOCK})")
            # Another process may have been here between the look and the lock.
            before = schema_version(db)
            done = max(0, len(scripts) - before)
            for script in scripts[before:]:
                db.execute(script.encode())
            db.execute(
                f"CREATE TABLE IF NOT EXISTS {SCHEMA}.schema_version (one INT PRIMARY KEY DEFAULT 1 CHECK (one = 1), "
                "version INT NOT NULL)"
            )
            if done:
                db.execute(
                    f"INSERT INTO {SCHEMA}.schema_version (version) VALUES ({len(scripts)}) "  # noqa: S608  # numbers
                    "ON CONFLICT (one) DO UPDATE SET version = excluded.version"
                )
    present = schema_version(db)
    if present > len(scripts):
        raise StoreError(
            f"{url} has schema {present}, this detent knows {len(scripts)}; upgrade detent, or use the version that "
            "wrote it"
        )
    return done
