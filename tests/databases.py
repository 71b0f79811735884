"""What is in the database of a project, read beside the engine: a file of SQLite, or a PostgreSQL."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import psycopg

from detent.store import SqliteStore, Store
from detent.store.postgresql import PostgresStore
from detent.store.rows import row_factory

__all__ = ["Database", "Reading", "damage", "migrated", "open_store"]

#: The file, or the URL.
Database = Path | str


class Reading:
    """``with Reading(database) as db: db.ask("SELECT ... WHERE id = ?", run_id)``: one look, in one snapshot.

    Parameters:
      fresh: every question sees what has been committed until then instead.

    Statements name tables without a schema; values are given by place (``?``) or by name (``:name``).
    """

    def __init__(self, database: Database, *, fresh: bool = False) -> None:
        self._database = database
        self._db: sqlite3.Connection | psycopg.Connection[Any]
        if isinstance(database, Path):
            self._db = sqlite3.connect(
                f"{database.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
            )
            self._db.row_factory = sqlite3.Row
            begin = "BEGIN"
        else:
            options = "-c search_path=detent -c default_transaction_read_only=on"
            self._db = psycopg.connect(database, autocommit=True, row_factory=row_factory, options=options)
            begin = "BEGIN ISOLATION LEVEL REPEATABLE READ"
        if not fresh:
            self.ask(begin)

    def __enter__(self) -> Reading:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._db.close()

    def ask(self, sql: str, *values: Any, **named: Any) -> list[Any]:
        """The rows, each with values by place and by name of the column."""
        given: Any = named or values
        if isinstance(self._db, sqlite3.Connection):
            with closing(self._db.execute(sql, given)) as cursor:
                return cursor.fetchall()
        if given:
            sql = sql.replace("%", "%%").replace("?", "%s")
            for name in named:
                sql = sql.replace(f":{name}", f"%({name})s")
        found = self._db.execute(sql.encode(), given or None)
        return found.fetchall() if found.description else []

    def tables(self) -> list[str]:
        """The names of all tables."""
        if isinstance(self._db, sqlite3.Connection):
            return [name for (name,) in self.ask("SELECT name FROM sqlite_master WHERE type = 'table'")]
        names = "SELECT CAST(tablename AS TEXT) FROM pg_catalog.pg_tables WHERE schemaname = 'detent'"
        return [name for (name,) in self.ask(names)]


def open_store(database: Database) -> Store:
    """The store itself, of this process; close it."""
    return SqliteStore(database, "OFF") if isinstance(database, Path) else PostgresStore(database)


def migrated(url: str) -> None:
    """Bring the PostgreSQL at `url` to the present schema: for databases that are copies of it."""
    PostgresStore(url).close()


def damage(database: Database, statement: str, *values: Any) -> None:
    """Write past the engine what no engine would. `values`: given by place (``?``)."""
    if isinstance(database, Path):
        with closing(sqlite3.connect(database, timeout=60)) as file, file:
            file.execute(statement, values)
    else:
        with psycopg.connect(database, options="-c search_path=detent") as db:
            db.execute(
                statement.replace("%", "%%").replace("?", "%s").encode() if values else statement.encode(),
                values or None,
            )
