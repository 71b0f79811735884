"""SQL of strangers over a few views: nothing else can be read, nothing can be written, nothing takes long.

Each query has a connection of its own, in which three things hold, each for itself enough:

- The files are opened for reading only, under names that nobody can guess, and every table in them is hidden behind a
  temporary view of the same name. So a query cannot even say which table it means.
- An authorizer, asked by SQLite for every table, column and function of a statement, allows columns of tables only
  inside views that have unguessable names too. It must not go by the documented names, since a query can give them to
  expressions of its own: ``WITH runs AS (SELECT * FROM main.runs) ...`` reads the table in the name of the view. And it
  alone would not do: of ``SELECT count(*) FROM main.runs`` it is told no more than of a count over the view.
- What a query may take of time, rows, text and depth is bounded.

What users wrote is shown without secrets, and has lost them before a query can take it apart.
"""

from __future__ import annotations

import re
import secrets
import sqlite3
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import InvalidOptions, LimitExceeded, near_names
from .sandbox import MOST_CHARS, MOST_ROWS, MOST_S, Answered, Redacting, SandboxView, too_long
from .sandbox_functions import FUNCTIONS, LENGTH, TABLE_FUNCTIONS, put_bounded_functions
from .sandbox_text import check_text

__all__ = ["SqliteSandbox"]

#: Steps of SQLite's machine between two looks at the time: few, as each may work on a large text.
_STEPS = 500
#: Steps of the longest program.
MOST_STEPS = 1_000_000

#: Category and value of SQLite's own limits.
_LIMITS = {
    sqlite3.SQLITE_LIMIT_LENGTH: LENGTH,
    sqlite3.SQLITE_LIMIT_SQL_LENGTH: 200_000,
    sqlite3.SQLITE_LIMIT_COLUMN: 200,
    sqlite3.SQLITE_LIMIT_EXPR_DEPTH: 100,
    sqlite3.SQLITE_LIMIT_COMPOUND_SELECT: 20,
    sqlite3.SQLITE_LIMIT_LIKE_PATTERN_LENGTH: 100,
    sqlite3.SQLITE_LIMIT_FUNCTION_ARG: 50,
    sqlite3.SQLITE_LIMIT_VARIABLE_NUMBER: 100,
}
#: How SQLite speaks of its limits, and of functions of ours that refuse.
_TOO_MUCH = ("too big", "too many", "too large", "too complex", "user-defined function", "Expression tree")
_AT = re.compile(r"@(?:store|telemetry|text|json)\b")
_NO_TABLE = re.compile(r"no such table: (.+)")
_NO_COLUMN = re.compile(r"no such column: (.+)")
_NO_FUNCTION = re.compile(r"no such function: (.+)")


class SqliteSandbox:
    """Answers queries over `views`.

    Parameters:
      path: the store's file. `telemetry`: that of lines and spans, which need not be there.
    """

    def __init__(self, path: Path, telemetry: Path | None, views: Sequence[SandboxView]) -> None:
        self._path = path
        self._telemetry = telemetry
        self._views = {view.name: view for view in views}

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
        """The rows of one SELECT over what belongs to `env`, without what `redactor` knows for secret.

        Errors: `InvalidOptions` for what is no such SELECT, with the near names; `LimitExceeded` when it takes longer
        than `most_s` seconds.
        """
        check_text(sql)
        return self._run(env, sql, parameters, redactor=redactor, most_rows=most_rows, most_s=most_s)

    def program(self, env: str, sql: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> list[list[Any]]:
        """What SQLite would do to answer, as ``EXPLAIN`` tells it: address, name and numbers of each step.

        Errors: as `ask`, for what can be said without looking at any row.
        """
        check_text(sql)
        return self._run(env, f"EXPLAIN {sql}", parameters, redactor=None, most_rows=MOST_STEPS, most_s=MOST_S).rows

    def _run(
        self,
        env: str,
        sql: str,
        parameters: Sequence[Any] | Mapping[str, Any],
        *,
        redactor: Redacting | None,
        most_rows: int,
        most_s: float,
    ) -> Answered:
        guard = _Guard(frozenset(self._views))
        db = self._open(env, guard, redactor)
        try:
            guard.ends = time.monotonic() + most_s
            db.set_progress_handler(guard.look, _STEPS)
            return _rows(db, sql, parameters, most_rows)
        except (sqlite3.Error, sqlite3.Warning) as error:
            raise self._explained(error, guard, most_s) from None
        finally:
            db.close()

    def _open(self, env: str, guard: _Guard, redactor: Redacting | None) -> sqlite3.Connection:
        db = sqlite3.connect(":memory:", uri=True, timeout=2.0, isolation_level=None)
        # Texts may be cut in the middle of a character by the query itself.
        db.text_factory = lambda text: text.decode(errors="replace")
        try:
            # Large sorts go to a file, which ends with the connection, not to the server's memory.
            for pragma in ("temp_store = FILE", "cache_size = -8000", "trusted_schema = OFF"):
                db.execute(f"PRAGMA {pragma}")
            names = self._attach(db) | _put_redaction(db, redactor)
            guard.functions |= {names["@text"], names["@json"]}
            for view in self._views.values():
                inner = f"{view.name}_{secrets.token_hex(16)}"
                guard.inner.add(inner)
                db.execute(f"CREATE TEMP VIEW {inner} AS {_select(view, env, names)}")
                db.execute(f"CREATE TEMP VIEW {view.name} AS SELECT * FROM {inner}")  # noqa: S608  # ours
            self._hide(db, [names[file] for file in ("@store", "@telemetry") if file in names])
            for name in TABLE_FUNCTIONS:
                db.execute(f"SELECT 1 FROM {name}('[]')").fetchall()  # noqa: S608  # ours
            put_bounded_functions(db)
            db.execute("PRAGMA query_only = ON")
            for category, most in _LIMITS.items():
                db.setlimit(category, most)
            db.set_authorizer(guard)
        except BaseException:
            db.close()
            raise
        return db

    def _attach(self, db: sqlite3.Connection) -> dict[str, str]:
        """The names under which the files that are there were opened."""
        schemas: dict[str, str] = {}
        for file, path in (("@store", self._path), ("@telemetry", self._telemetry)):
            if path is not None and path.exists():
                schemas[file] = f"s_{secrets.token_hex(16)}"
                db.execute(f"ATTACH ? AS {schemas[file]}", (f"{path.absolute().as_uri()}?mode=ro",))
        return schemas

    def _hide(self, db: sqlite3.Connection, schemas: Sequence[str]) -> None:
        """Put a view, which nobody may read, before each table of the files."""
        for schema in schemas:
            for (table,) in db.execute(f"SELECT name FROM {schema}.sqlite_master WHERE type = 'table'").fetchall():  # noqa: S608  # ours
                if table not in self._views and not table.startswith("sqlite_"):
                    quoted = table.replace('"', '""')
                    hidden = "SELECT name FROM sqlite_temp_master"
                    db.execute(f'CREATE TEMP VIEW IF NOT EXISTS "{quoted}" AS {hidden}')

    def _explained(self, error: Exception, guard: _Guard, most_s: float) -> InvalidOptions | LimitExceeded:
        text = str(error)
        if guard.is_late:
            return too_long(most_s)
        if guard.refused is not None:
            return self._refusal(*guard.refused)
        if found := _NO_TABLE.match(text):
            if "." in found[1]:
                views = ", ".join(sorted(self._views))
                return InvalidOptions(f"{found[1]!r} cannot be read; name one of the views alone: {views}")
            return InvalidOptions(near_names("view", found[1], sorted(self._views)))
        if found := _NO_COLUMN.match(text):
            known = sorted({name for view in self._views.values() for name in view.columns})
            where = [view.name for view in self._views.values() if _last(found[1]) in view.columns]
            if where:
                return InvalidOptions(f"no column {found[1]!r} here; views with such a column: {', '.join(where)}")
            return InvalidOptions(near_names("column", _last(found[1]), known))
        if found := _NO_FUNCTION.match(text):
            return InvalidOptions(near_names("function", found[1], sorted(FUNCTIONS)))
        if any(part in text for part in _TOO_MUCH):
            return LimitExceeded(f"the query is over a limit: {text}")
        return InvalidOptions(f"the query cannot be run: {text}")

    def _refusal(self, kind: str, name: str) -> InvalidOptions:
        if kind == "function":
            return InvalidOptions(near_names("function", name, sorted(FUNCTIONS)))
        if kind == "table":
            return InvalidOptions(near_names("view", name, sorted(self._views)))
        return InvalidOptions("a query is one SELECT, which may begin with WITH; nothing else is run")


class _Guard:
    """The authorizer of one connection. `inner`: the views that may read tables."""

    def __init__(self, views: frozenset[str]) -> None:
        self.inner: set[str] = set()
        self.functions = set(FUNCTIONS)
        self.refused: tuple[str, str] | None = None
        self.is_late = False
        self.ends = 0.0
        self._views = views

    def look(self) -> int:
        """Asked by SQLite every now and then; 1 ends the query."""
        self.is_late = time.monotonic() > self.ends
        return int(self.is_late)

    def __call__(
        self, action: int, first: str | None, second: str | None, schema: str | None, source: str | None
    ) -> int:
        if action in {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_RECURSIVE}:
            return sqlite3.SQLITE_OK
        if action == sqlite3.SQLITE_FUNCTION:
            return self._decide("function", second or "", (second or "").lower() in self.functions)
        if action == sqlite3.SQLITE_READ:
            name = first or ""
            if not second:
                # Rows are counted, of a table that the query could name, or of an expression of its own.
                return self._decide("table", name, not name.lower().startswith(("sqlite_", "pragma_")))
            of_views = schema == "temp" and (name in self._views or name in self.inner)
            of_functions = name in TABLE_FUNCTIONS and schema == "main"
            hidden = source if name == "sqlite_temp_master" and source else name
            return self._decide("table", hidden, of_views or of_functions or source in self.inner)
        return self._decide("action", "", False)

    def _decide(self, kind: str, name: str, allowed: bool) -> int:
        if allowed:
            return sqlite3.SQLITE_OK
        self.refused = self.refused or (kind, name)
        return sqlite3.SQLITE_DENY


def _rows(db: sqlite3.Connection, sql: str, parameters: Sequence[Any] | Mapping[str, Any], most_rows: int) -> Answered:
    try:
        cursor = db.execute(sql, parameters)
    except (ValueError, TypeError, OverflowError, DeprecationWarning) as error:
        raise InvalidOptions(f"the parameters do not fit the query: {error}") from None
    columns = [column[0] for column in cursor.description or ()]
    rows: list[list[Any]] = []
    chars = 0
    for row in cursor:
        chars += sum(len(value) for value in row if isinstance(value, str | bytes))
        if len(rows) == most_rows or chars > MOST_CHARS:
            return Answered(columns, rows, True)
        rows.append([value.hex() if isinstance(value, bytes) else value for value in row])
    return Answered(columns, rows, False)


def _put_redaction(db: sqlite3.Connection, redactor: Redacting | None) -> dict[str, str]:
    """The names of the functions that redact: nobody can try with them whether a text is a secret."""
    makes = {"@text": str, "@json": str} if redactor is None else {"@text": redactor.text, "@json": redactor.json_text}
    names: dict[str, str] = {}
    for function, make in makes.items():
        names[function] = f"f_{secrets.token_hex(16)}"
        db.create_function(names[function], 1, _redacting(make), deterministic=True)
    return names


def _redacting(make: Callable[[str], str]) -> Callable[[Any], Any]:
    return lambda value: make(value) if isinstance(value, str) else value


def _select(view: SandboxView, env: str, names: Mapping[str, str]) -> str:
    """The inner view; `names`: what the words with an ``@`` stand for."""
    if view.file not in names:
        return f"SELECT {', '.join(f'NULL AS {name}' for name in view.columns)} WHERE 0"  # ours
    columns = ", ".join(f"{expression} AS {name}" for name, expression in view.columns.items())
    # A view cannot have parameters.
    literal = "'" + env.replace("'", "''") + "'"
    sql = f"SELECT {columns} FROM {view.source} WHERE {view.where}"  # noqa: S608  # ours
    return _AT.sub(lambda found: names[found[0]], sql).replace(":env", literal)


def _last(name: str) -> str:
    return name.rpartition(".")[2].strip('"[]`')
