"""Queries of strangers over a PostgreSQL database, of which none ever reaches it.

A query is written in SQLite's SQL, and SQLite answers it, in the sandbox that guards an embedded store too: with the
same answers, limits and refusals, and with the same redaction, which is Python. What it is asked of is a file of the
query's own, that holds those rows and columns of the environment which the query looks at:

- SQLite compiles the query over empty tables and tells, with its program, which columns it reads. Whatever is to be
  refused is refused here, before the database has heard of it.
- What the query's WHERE, ORDER BY and LIMIT leave out of a view for certain is not copied (`narrowings`).
- The database gets statements of ours: names of columns from a fixed list, values as parameters, read-only, with a
  time limit, on a connection of their own.
"""

from __future__ import annotations

import contextlib
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import tuple_row

from ..errors import LimitExceeded, StoreError
from .postgresql import connect, without_password
from .sandbox import MOST_ROWS, MOST_S, Answered, Redacting, SandboxView, too_long
from .sandbox_narrowing import Codes, Narrowing, narrowings
from .sandbox_sqlite import MOST_STEPS, SqliteSandbox

__all__ = ["PostgresSandbox", "Relation"]

#: Rows that are fetched together; bytes of the file that a query is asked of.
_FETCH, MOST_BYTES = 5_000, 1_000_000_000
#: Steps of SQLite's machine between two looks at the time.
_STEPS = 100_000
#: The least time that a statement gets, in milliseconds: 0 would be no limit.
_LEAST_MS = 50


@dataclass(frozen=True, slots=True)
class Relation:
    """A table that views in SQLite's SQL are made of: its `columns` with their types in SQLite, and `source`, what
    follows FROM for PostgreSQL, of which ``x`` is the alias and which shows the environment as ``env``.
    `codes`: by the names of columns of the view. `few`: columns that have few values, so that rows which look alike
    are fetched as one, with their number."""

    name: str
    columns: Mapping[str, str]
    source: str
    codes: Codes = field(default_factory=dict)
    few: frozenset[str] = frozenset()


class PostgresSandbox:
    """Answers queries over `views`, each of which is made of one of `relations`.

    Parameters:
      url: of the database.
    """

    def __init__(self, url: str, views: Sequence[SandboxView], relations: Sequence[Relation]) -> None:
        self._url = url
        self._views = views
        self._relations = {relation.name: relation for relation in relations}

    def ask(
        self,
        env: str,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        redactor: Redacting | None = None,
        most_rows: int = MOST_ROWS,
        most_s: float = MOST_S,
    ) -> Answered:
        """See `Sandbox.ask`. `LimitExceeded` also where it looks at more than fits into its file."""
        ends = time.monotonic() + most_s
        with tempfile.TemporaryDirectory(prefix="detent-query-") as folder:
            file = Path(folder) / "rows.db"
            with contextlib.closing(_create(file, self._relations.values())) as db:
                sandbox = SqliteSandbox(file, None, self._views)
                wanted = _reads(db, sandbox.program(env, sql, parameters))
                if wanted:
                    columns = {name: relation.columns for name, relation in self._relations.items()}
                    codes = {name: relation.codes for name, relation in self._relations.items()}
                    worth = partial(_worth, sandbox, env)
                    narrow = narrowings(
                        sql,
                        parameters,
                        self._views,
                        columns=columns,
                        codes=codes,
                        value=worth,
                        most_rows=most_rows,
                    )
                    self._copy(db, env, wanted, narrow, _Bounds(ends, most_s))
            left = max(0.001, ends - time.monotonic())
            return sandbox.ask(env, sql, parameters, redactor=redactor, most_rows=most_rows, most_s=left)

    def _copy(
        self,
        db: sqlite3.Connection,
        env: str,
        wanted: Mapping[str, Sequence[str]],
        narrow: Mapping[str, Narrowing],
        bounds: _Bounds,
    ) -> None:
        db.set_progress_handler(lambda: int(bounds.left_s < 0), _STEPS)
        db.execute("BEGIN")
        try:
            with contextlib.closing(connect(self._url)) as source:
                source.execute(
                    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL work_mem = '32MB'; "
                    "SET LOCAL cursor_tuple_fraction = 1; SET LOCAL lock_timeout = '2s'; "
                    "SET LOCAL idle_in_transaction_session_timeout = '20s'"
                )
                for name, columns in wanted.items():
                    left = max(_LEAST_MS, int(bounds.left_s * 1000))
                    source.execute(f"SET LOCAL statement_timeout = {left}")
                    self._copy_one(
                        source,
                        db,
                        env,
                        self._relations[name],
                        columns=columns,
                        narrowing=narrow.get(name),
                        bounds=bounds,
                    )
                source.execute("ROLLBACK")
            db.execute("COMMIT")
        except (psycopg.errors.QueryCanceled, sqlite3.OperationalError):
            raise too_long(bounds.most_s) from None
        except psycopg.Error as error:
            text = " ".join(str(error).split())
            raise StoreError(
                f"the database {without_password(self._url)} does not answer the query ({text})"
            ) from error

    def _copy_one(
        self,
        source: psycopg.Connection[Any],
        db: sqlite3.Connection,
        env: str,
        relation: Relation,
        *,
        columns: Sequence[str],
        narrowing: Narrowing | None,
        bounds: _Bounds,
    ) -> None:
        where, order, values = narrowing.as_sql() if narrowing is not None else ("", "", {})
        alike = not order and relation.few.issuperset(columns)
        shown = ", ".join(f'x."{column}"' for column in columns)
        what = ", ".join(part for part in ("count(*)" if alike else "", shown) if part) or "NULL"
        grouped = f" GROUP BY {shown}" if alike and columns else ""
        text = f"SELECT {what} FROM {relation.source} WHERE x.env = %(env)s{where}{grouped}{order}"  # noqa: S608  # ours
        put = _put(relation, columns, alike=alike)
        with source.cursor("detent_query", row_factory=tuple_row) as cursor:
            cursor.execute(text.encode(), {"env": env, **values}, binary=True)
            for rows in _batches(lambda: cursor.fetchmany(_FETCH)):
                db.executemany(put, rows)
                bounds.check(db)


def _put(relation: Relation, columns: Sequence[str], *, alike: bool) -> str:
    """The statement that takes a row that was fetched; `alike`: which begins with the number of those like it."""
    names = columns or [next(iter(relation.columns))]
    into = f'INSERT INTO "{relation.name}" ({", ".join(map(_quoted, names))})'
    places = ", ".join("?" * len(columns))
    if not alike:
        return f"{into} VALUES ({places or '?'})"
    count = "WITH RECURSIVE n (i) AS (SELECT CAST(? AS INTEGER) UNION ALL SELECT i - 1 FROM n WHERE i > 1)"
    return f"{count} {into} SELECT {places or 'NULL'} FROM n WHERE i > 0"  # noqa: S608  # ours


def _quoted(name: str) -> str:
    return f'"{name}"'


class _Bounds:
    """When a query must have ended, and how much it may copy."""

    def __init__(self, ends: float, most_s: float) -> None:
        self.most_s = most_s
        self._ends = ends

    @property
    def left_s(self) -> float:
        return self._ends - time.monotonic()

    def check(self, db: sqlite3.Connection) -> None:
        """Errors: `LimitExceeded`."""
        if self.left_s < 0:
            raise too_long(self.most_s)
        [(pages,)], [(size,)] = db.execute("PRAGMA page_count").fetchall(), db.execute("PRAGMA page_size").fetchall()
        if pages * size > MOST_BYTES:
            raise LimitExceeded(
                f"the query looks at more than {MOST_BYTES // 1_000_000:,} MB; name fewer columns, or ask for a "
                "shorter time: compare the column itself, as in created_at > datetime('now', '-1 day')"
            )


def _create(file: Path, relations: Iterable[Relation]) -> sqlite3.Connection:
    """The file with its empty tables. It is read by another connection; nothing of it outlives the query."""
    db = sqlite3.connect(file, isolation_level=None)
    for pragma in ("journal_mode = OFF", "synchronous = OFF"):
        db.execute(f"PRAGMA {pragma}")
    for relation in relations:
        columns = ", ".join(f'"{name}" {kind}' for name, kind in relation.columns.items())
        db.execute(f'CREATE TABLE "{relation.name}" ({columns})')
    return db


def _reads(db: sqlite3.Connection, program: Sequence[Sequence[Any]]) -> dict[str, list[str]]:
    """The columns of the tables in the file `db` that a program reads, in order."""
    if len(program) >= MOST_STEPS:
        raise LimitExceeded("the query is over a limit: it is too complex")
    roots = dict(db.execute("SELECT rootpage, name FROM sqlite_master WHERE type = 'table'").fetchall())
    cursors: dict[int, str] = {}
    # Databases 0 and 1 are the sandbox's own, which hold no rows.
    for _, name, first, second, third, *_ in program:
        if name == "OpenRead" and third > 1:
            cursors[first] = roots[second]
    read: dict[str, set[int]] = {table: set() for table in cursors.values()}
    for _, name, first, second, *_ in program:
        if name == "Column" and first in cursors:
            read[cursors[first]].add(second)
    return {
        table: [about[1] for about in db.execute(f'PRAGMA table_info("{table}")') if about[0] in places]
        for table, places in read.items()
    }


def _worth(sandbox: SqliteSandbox, env: str, sql: str, parameters: Mapping[str, Any]) -> Any:
    """What an expression without columns is worth, as SQLite sees it."""
    return sandbox.ask(env, f"SELECT {sql}", parameters, most_s=1.0).rows[0][0]


def _batches(fetch: Callable[[], list[tuple[Any, ...]]]) -> Iterator[list[tuple[Any, ...]]]:
    while rows := fetch():
        yield rows
