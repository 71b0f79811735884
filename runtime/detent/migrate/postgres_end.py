"""A store in a PostgreSQL database as one end of a move."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from ..errors import Conflict, ProjectLocked, StoreError
from ..store import open_database
from ..store.dialect import SCHEMA
from ..store.migrating import migrate, schema_version
from ..store.postgresql import LOCK, connect
from .giving_back import give_back
from .places import ServerPlace, shown
from .tables import FILLED_BY_TRIGGERS, MOVED_FROM, Mark, Row, Table

__all__ = ["PostgresSource", "PostgresTarget", "connected"]

#: Rows that are fetched together.
_FETCHED = 500
#: For how long servers that have just ended may seem to be there, in seconds: as long as their lead of a loop lasts.
_LEAD_S = 5.0
_COLUMNS = (
    "SELECT t.relname, a.attname, coalesce(array_position(CAST(i.indkey AS int2[]), a.attnum), -1) "
    "FROM pg_class t JOIN pg_namespace n ON n.oid = t.relnamespace AND n.nspname = 'detent' "
    "JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped "
    # A table without a primary key has another index that no two rows are alike in.
    "LEFT JOIN LATERAL (SELECT x.indkey FROM pg_index x WHERE x.indrelid = t.oid AND x.indisunique "
    "AND x.indpred IS NULL AND x.indexprs IS NULL ORDER BY x.indisprimary DESC, x.indexrelid LIMIT 1) i ON true "
    "WHERE t.relkind = 'r' ORDER BY t.relname, a.attnum"
)
_MOVING = (
    "CREATE TABLE IF NOT EXISTS detent.moving "
    "(name TEXT PRIMARY KEY, after TEXT, rows BIGINT NOT NULL DEFAULT 0, done BIGINT NOT NULL DEFAULT 0)"
)
_PUT_MARK = (
    "INSERT INTO detent.moving (name, after, rows, done) VALUES (%s, %s, %s, %s) ON CONFLICT (name) DO UPDATE SET "
    "after = excluded.after, rows = excluded.rows, done = excluded.done"
)


def connected(url: str) -> psycopg.Connection[Any]:
    """A connection that prepares nothing, as poolers want it. Errors: `StoreError`."""
    try:
        db = connect(url, patience_s=2.0)
    except psycopg.Error as error:
        text = " ".join(str(error).split())
        raise StoreError(f"the database {shown(url)} is not reached ({text}); see `detent doctor`") from error
    db.prepare_threshold = None
    return db


class _Database:
    """The tables of a database over one connection; another one holds the lock of all writes."""

    def __init__(self, place: ServerPlace) -> None:
        self.place = place
        self.db = connected(place.url)
        self._holder = connected(place.url)
        self._tables: dict[str, Table] = {}
        self._numbered: dict[str, str] = {}

    def tables(self) -> Mapping[str, Table]:
        if not self._tables:
            found: dict[str, tuple[list[str], list[tuple[int, str]]]] = {}
            for table, column, place in self.db.execute(_COLUMNS).fetchall():
                columns, key = found.setdefault(table, ([], []))
                columns.append(column)
                if place >= 0:
                    key.append((place, column))
            self._tables = {
                name: Table(name, tuple(columns), tuple(column for _, column in sorted(key)))
                for name, (columns, key) in found.items()
            }
        return self._tables

    def count(self, table: Table) -> int:
        [(count,)] = self.db.execute(sql.SQL("SELECT count(*) FROM {}").format(_address(table))).fetchall()
        return int(count)

    def _ask(self, query: str) -> Any:
        return self.db.execute(query.encode()).fetchall()[0]

    def sequence_of(self, table: Table) -> str | None:
        """What gives numbers to the rows, if anything does."""
        if len(table.key) > 1:
            return None
        asked = self.db.execute(
            "SELECT pg_get_serial_sequence(%s, %s)", (f'{SCHEMA}."{table.name}"', table.key[0])
        ).fetchall()
        return None if asked[0][0] is None else str(asked[0][0])

    def hold(self) -> None:
        """Keep everybody else from writing, until this is closed. Errors: `ProjectLocked`."""
        self._holder.execute(
            "BEGIN; SET LOCAL lock_timeout = '10s'; SET LOCAL idle_in_transaction_session_timeout = 0; "
            "SET LOCAL statement_timeout = 0"
        )
        try:
            self._holder.execute(f"SELECT pg_advisory_xact_lock({LOCK})".encode())
        except psycopg.errors.LockNotAvailable as error:
            raise ProjectLocked(
                f"somebody uses {self.place.name}; stop servers and workers first, then move"
            ) from error

    def still_holds(self) -> bool:
        """See `Source.still_holds`."""
        try:
            self._holder.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def refuse_users(self) -> None:
        """Errors: `ProjectLocked` while a server or a worker leads a loop."""
        if "leaders" not in self.tables():
            return
        leads = "SELECT max(until), max(until) > extract(epoch FROM clock_timestamp()) * 1000 FROM detent.leaders"
        first, is_led = self._ask(leads)
        until = time.monotonic() + _LEAD_S
        while is_led:
            # Of servers that have ended a lead may be left; of others it is renewed.
            now, is_led = self._ask(leads)
            if now != first or time.monotonic() > until:
                raise ProjectLocked(
                    f"servers or workers use {self.place.name}; stop all of them first, on every machine, then move"
                )
            time.sleep(0.05)

    def read(self, table: Table, after: list[Any] | None) -> Iterator[Row]:
        """The rows by a cursor of the server, within a transaction."""
        where: sql.Composable = sql.SQL("")
        if after is not None:
            marks = sql.SQL(", ").join([sql.Placeholder()] * len(after))
            where = sql.SQL("WHERE ({}) > ({})").format(_names(table.key), marks)
        query = sql.SQL("SELECT {} FROM {} {} ORDER BY {}").format(
            _names(table.columns), _address(table), where, _names(table.key)
        )
        with self.db.cursor("moving") as cursor:
            cursor.itersize = _FETCHED
            cursor.execute(query, after)
            for row in cursor:
                yield tuple(row)

    def close(self) -> None:
        self.db.close()
        self._holder.close()


class PostgresSource(_Database):
    """A database that is read at one moment, and that nobody writes meanwhile. What executed when its workers were
    stopped is handed back first.

    Errors: `ProjectLocked`, `StoreError`.
    """

    def __init__(self, place: ServerPlace) -> None:
        super().__init__(place)
        try:
            if not schema_version(self.db):
                raise StoreError(f"there is no store in {place.name}; name the one to move: --from URL")
            self.refuse_users()
            store = open_database(place.url, None)
            try:
                self.given_back = give_back(store)
            finally:
                store.close()
            self.hold()
            # After the lock, so that what is read is all that was ever written.
            self.db.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            self.db.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        except BaseException:
            self.close()
            raise

    def rows(self, table: Table, after: list[Any] | None = None) -> Iterator[Row]:
        """See `Source.rows`."""
        return self.read(table, after)

    def highest(self, table: Table) -> int | None:
        """See `Source.highest`."""
        sequence = self.sequence_of(table)
        if sequence is None:
            return None
        asked = self.db.execute(f"SELECT last_value, is_called::int FROM {sequence}".encode()).fetchall()  # noqa: S608
        last, called = asked[0]
        return int(last) if called else None


class PostgresTarget(_Database):
    """A database that is filled. As long as it is, no server takes it."""

    refuses_nul = True

    def begin(self, source: str, *, restart: bool) -> bool:
        """See `Target.begin`."""
        migrate(self.db, url=self.place.name, may_be_moving=True)
        self.hold()
        if restart and self._is_moving():
            self._empty()
        if not self._is_moving():
            self.refuse_users()
            full = [table.name for table in self._filled() if self.count(table)]
            if full:
                self._refuse(sorted(full))
            self.db.execute(_MOVING)
            self.db.execute(_PUT_MARK, ("", source, 0, 0))
            return False
        from_where = self.db.execute("SELECT after FROM detent.moving WHERE name = ''").fetchall()
        if from_where and from_where[0][0] != source:
            raise Conflict(
                f"the move into {self.place.name} was begun from {from_where[0][0]}, not from {source}; go on from "
                "there, or begin anew with --restart"
            )
        return True

    def mark(self, table: Table) -> Mark:
        """See `Target.mark`."""
        rows = self.db.execute("SELECT after, rows, done FROM detent.moving WHERE name = %s", (table.name,)).fetchall()
        return Mark(json.loads(rows[0][0]), rows[0][1], bool(rows[0][2])) if rows else Mark()

    def put(self, table: Table, rows: list[Row], mark: Mark) -> None:
        """See `Target.put`."""
        with self._transaction(), self.db.cursor() as cursor:
            if table.name in FILLED_BY_TRIGGERS:
                cursor.executemany(_over(table), rows)
            elif rows:
                into = sql.SQL("COPY {} ({}) FROM STDIN").format(_address(table), _names(table.columns))
                with cursor.copy(into) as copy:
                    for row in rows:
                        copy.write_row(row)
            cursor.execute(_PUT_MARK, (table.name, json.dumps(mark.after), mark.rows, int(mark.done)))

    def rows(self, table: Table, after: list[Any] | None = None) -> Iterator[Row]:
        """See `Target.rows`."""
        with self._transaction():
            yield from self.read(table, after)

    def clear(self, source: str) -> None:
        """See `Target.clear`."""
        self._empty()
        self.begin(source, restart=False)

    def finish(self, source: str, highest: Mapping[str, int]) -> None:
        """See `Target.finish`."""
        if not self.still_holds():
            raise StoreError(f"the connection to {self.place.name} was lost on the way; run the same command again")
        with self._transaction():
            for name, table in self.tables().items():
                sequence = self.sequence_of(table) if name in highest else None
                if sequence is not None:
                    self.db.execute("SELECT setval(%s, %s)", (sequence, highest[name]))
            self.db.execute(
                "INSERT INTO detent.settings (name, value) VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET "
                "value = excluded.value",
                (MOVED_FROM, source),
            )
            self.db.execute("DROP TABLE detent.moving")
        self.db.execute("ANALYZE")

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self.db.transaction():
            self.db.execute("SET LOCAL synchronous_commit = on")
            self.db.execute("SET LOCAL statement_timeout = 0")
            yield

    def _is_moving(self) -> bool:
        [(there,)] = self.db.execute("SELECT (to_regclass('detent.moving') IS NOT NULL)::int").fetchall()
        return bool(there)

    def _empty(self) -> None:
        tables = sql.SQL(", ").join(_address(table) for table in self._filled())
        with self._transaction():
            self.db.execute(sql.SQL("TRUNCATE {} RESTART IDENTITY").format(tables))
            self.db.execute("DROP TABLE IF EXISTS detent.moving")

    def _filled(self) -> list[Table]:
        return [table for name, table in self.tables().items() if name not in ("schema_version", "moving")]

    def _refuse(self, full: list[str]) -> None:
        asked = self.db.execute("SELECT max(value) FROM detent.settings WHERE name = %s", (MOVED_FROM,)).fetchall()
        origin = asked[0][0]
        what = f"what was moved from {origin}" if origin else f"other data already ({', '.join(full[:3])})"
        raise Conflict(
            f"{self.place.name} holds {what}; name an empty database (createdb NAME), or, when what it holds is of no "
            "use, remove it: DROP SCHEMA detent CASCADE"
        )


def _address(table: Table) -> sql.Identifier:
    return sql.Identifier(SCHEMA, table.name)


def _names(columns: tuple[str, ...]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))


def _over(table: Table) -> sql.Composed:
    rest = [sql.Identifier(column) for column in table.columns if column not in table.key]
    change = (
        sql.SQL("UPDATE SET ") + sql.SQL(", ").join(sql.SQL("{0} = excluded.{0}").format(column) for column in rest)
        if rest
        else sql.SQL("NOTHING")
    )
    return sql.SQL("INSERT INTO {} ({}) VALUES ({}) ON CONFLICT ({}) DO {}").format(
        _address(table),
        _names(table.columns),
        sql.SQL(", ").join([sql.Placeholder()] * len(table.columns)),
        _names(table.key),
        change,
    )
