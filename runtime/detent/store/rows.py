"""Rows of PostgreSQL in the form that rows of SQLite have: values by place, and by the name of their column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

from psycopg import Cursor

__all__ = ["Row", "row_factory"]


class Row(tuple[Any, ...]):
    """One row. Unpacked, it gives its values in order; `dict(row)` works."""

    __slots__ = ()
    places: dict[str, int] = {}

    def __getitem__(self, key: Any) -> Any:
        if type(key) is str:
            return tuple.__getitem__(self, self.places[key])
        return tuple.__getitem__(self, key)

    def keys(self) -> list[str]:
        """The names of the columns, in order."""
        return list(self.places)


def row_factory(cursor: Cursor[Any]) -> Callable[[Sequence[Any]], Row]:
    """Makes the rows of a cursor's result."""
    about = cursor.description
    return _kind_of(tuple(column.name for column in about)) if about else Row


@cache
def _kind_of(names: tuple[str, ...]) -> type[Row]:
    return type("Row", (Row,), {"__slots__": (), "places": {name: place for place, name in enumerate(names)}})
