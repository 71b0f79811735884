"""Both files of an embedded store over one connection: the runs, and beside them what they wrote."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from .tables import Row, Table

__all__ = ["SqliteFiles", "address", "names"]

#: Tables of the second file, by the names that they have in a server.
_TELEMETRY = {"log_lines": "lines", "spans": "spans", "telemetry_counts": "kept"}
_LISTED = "SELECT name FROM main.sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
#: Rows that are fetched together.
_FETCHED = 500


def address(table: Table) -> str:
    """The table as statements name it."""
    inner = _TELEMETRY.get(table.name)
    return f'main."{table.name}"' if inner is None else f'telemetry."{inner}"'


def names(columns: tuple[str, ...]) -> str:
    """Columns as statements name them."""
    return ", ".join(f'"{column}"' for column in columns)


class SqliteFiles:
    """The tables of both files, by the names that they have in a server.

    Errors, of all calls: `sqlite3.Error`.
    """

    def __init__(self, path: Path, telemetry: Path) -> None:
        self.db = sqlite3.connect(path, isolation_level=None, timeout=10.0)
        try:
            self.db.execute("ATTACH DATABASE ? AS telemetry", (str(telemetry),))
            found = [name for (name,) in self.db.execute(_LISTED)]
            self._tables = {name: self._about(name, f"main.table_info({name})") for name in found}
            self._tables |= {
                name: self._about(name, f"telemetry.table_info({inner})") for name, inner in _TELEMETRY.items()
            }
        except BaseException:
            self.db.close()
            raise

    def tables(self) -> Mapping[str, Table]:
        """See `Source.tables`."""
        return self._tables

    def count(self, table: Table) -> int:
        """See `Source.count`."""
        return int(self.db.execute(f"SELECT count(*) FROM {address(table)}").fetchone()[0])  # noqa: S608  # ours

    def rows(self, table: Table, after: list[Any] | None = None) -> Iterator[Row]:
        """See `Source.rows`."""
        key = names(table.key)
        where = f"WHERE ({key}) > ({', '.join('?' * len(table.key))})" if after is not None else ""
        sql = f"SELECT {names(table.columns)} FROM {address(table)} {where} ORDER BY {key}"  # noqa: S608  # ours
        with closing(self.db.cursor()) as cursor:
            cursor.execute(sql, after or ())
            while rows := cursor.fetchmany(_FETCHED):
                yield from rows

    def highest(self, table: Table) -> int | None:
        """See `Source.highest`."""
        if len(table.key) > 1:
            return None
        [key] = table.key
        [(most,)] = self.db.execute(f'SELECT max("{key}") FROM {address(table)}').fetchall()  # noqa: S608  # ours
        if not isinstance(most, int | None):
            return None
        ever = self.db.execute("SELECT seq FROM main.sqlite_sequence WHERE name = ?", (table.name,)).fetchone()
        return max(most or 0, ever[0] if ever else 0) or None

    def close(self) -> None:
        """Let the files go."""
        self.db.close()

    def _about(self, name: str, what: str) -> Table:
        about = self.db.execute(f"PRAGMA {what}").fetchall()
        key = [row[1] for row in sorted((row for row in about if row[5]), key=lambda row: row[5])]
        return Table(name, tuple(row[1] for row in about), tuple(key))
