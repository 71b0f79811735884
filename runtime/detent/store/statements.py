"""The statements of a dialect: one ``.sql`` file per verb, read once."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

__all__ = ["migrations", "single_statements", "statements"]


@cache
def statements(dialect: str) -> dict[str, str]:
    """Statement by name: those that all dialects share (``store/sql``), and those of `dialect` (a folder in it)."""
    shared = files(__package__) / "sql"
    return {
        entry.name.removesuffix(".sql"): entry.read_text("utf-8").strip()
        for folder in (shared, shared / dialect)
        for entry in folder.iterdir()
        if entry.name.endswith(".sql")
    }


@cache
def migrations(dialect: str) -> list[str]:
    """The scripts that bring an empty database to the present schema; the n-th leads to version n."""
    folder = files(__package__) / "migrations" / dialect
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".sql"))
    return [(folder / name).read_text("utf-8") for name in names]


def single_statements(script: str) -> Iterator[str]:
    """The statements of `script`, each by itself: `executescript` would end the transaction they belong
    to."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
