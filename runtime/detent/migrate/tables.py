"""What is moved: tables, their columns, the key by which rows are walked and found again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any, NamedTuple, Protocol

from ..errors import StoreError

__all__ = ["FILLED_BY_TRIGGERS", "MOVED_FROM", "Mark", "Row", "Source", "Sum", "Table", "Target", "in_order"]

Row = tuple[Any, ...]

#: What belongs to a store itself or to processes that are gone, and is made anew.
_LEFT_OUT = frozenset({"leaders", "metrics", "moving", "schema_version", "supervisors"})
#: Rows of these appear by themselves with rows of others; theirs are written over.
FILLED_BY_TRIGGERS = frozenset({"lanes", "run_tags", "waitpoint_tags"})
#: The setting that says where all of a store came from; it stays where it is.
MOVED_FROM = "moved_from"

_MASK = (1 << 128) - 1


class Table(NamedTuple):
    """A table by the name that it has in a server; `key` are the columns that no two rows have alike."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]

    def key_of(self, row: Row) -> list[Any]:
        """The key of a row whose values stand in the order of `columns`."""
        return [row[self.columns.index(column)] for column in self.key]

    def stays(self, row: Row) -> bool:
        """Whether the row says something about this store alone."""
        return self.name == "settings" and row[self.columns.index("name")] == MOVED_FROM


class Mark(NamedTuple):
    """How far a table has been moved: the key of the last row, and how many there were."""

    after: list[Any] | None = None
    rows: int = 0
    done: bool = False


class Source(Protocol):
    """A store that is read, and that nobody else writes meanwhile."""

    def tables(self) -> Mapping[str, Table]:
        """The tables by name."""
        ...

    def count(self, table: Table) -> int:
        """How many rows there are."""
        ...

    def rows(self, table: Table, after: list[Any] | None = None) -> Iterator[Row]:
        """The rows by their key, from the one after `after`."""
        ...

    def highest(self, table: Table) -> int | None:
        """The highest number that was ever given to a row, where the store gives numbers."""
        ...

    def still_holds(self) -> bool:
        """Whether nobody else could write in all this time."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class Target(Protocol):
    """A store that is filled."""

    #: Whether texts cannot hold the character NUL there.
    refuses_nul: bool

    def tables(self) -> Mapping[str, Table]:
        """See `Source`."""
        ...

    def begin(self, source: str, *, restart: bool) -> bool:
        """Take it for a move from `source`; whether an unfinished one goes on.

        Errors: `Conflict` where it holds something else.
        """
        ...

    def mark(self, table: Table) -> Mark:
        """How far it has come."""
        ...

    def put(self, table: Table, rows: list[Row], mark: Mark) -> None:
        """Write rows, and how far that is, in one transaction."""
        ...

    def rows(self, table: Table, after: list[Any] | None = None) -> Iterator[Row]:
        """See `Source`."""
        ...

    def clear(self, source: str) -> None:
        """Remove all that was moved, to begin anew."""
        ...

    def finish(self, source: str, highest: Mapping[str, int]) -> None:
        """All is there: let numbers go on above the `highest`, and let servers use it."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class Sum:
    """How many rows, and a sum over all of them that does not depend on their order."""

    __slots__ = ("rows", "total")

    def __init__(self) -> None:
        self.rows = 0
        self.total = 0

    def add(self, row: Row) -> None:
        self.rows += 1
        digest = blake2b(repr(row).encode("utf-8", "surrogatepass"), digest_size=16).digest()
        self.total = (self.total + int.from_bytes(digest, "big")) & _MASK

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sum) and (self.rows, self.total) == (other.rows, other.total)

    __hash__ = None  # type: ignore[assignment]  # it changes


def in_order(source: Mapping[str, Table], target: Mapping[str, Table]) -> list[Table]:
    """The tables to move, those with triggers first. Errors: `StoreError` when the two do not have the same."""
    ours = {name: table for name, table in source.items() if name not in _LEFT_OUT}
    theirs = {name: table for name, table in target.items() if name not in _LEFT_OUT}
    for name in sorted(ours.keys() | theirs.keys()):
        one, other = ours.get(name), theirs.get(name)
        if one is None or other is None or set(one.columns) != set(other.columns) or set(one.key) != set(other.key):
            raise StoreError(
                f"the two databases differ in the table {name}; bring both to the present schema with "
                "`detent migrate`, and use one version of detent for both"
            )
    first = ("runs", "waitpoints")
    return sorted(ours.values(), key=lambda table: (table.name not in first, table.name))
