"""What the engine asks of a store. A dialect is a folder of statements and a connection that runs them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

__all__ = ["Clock", "Row", "Store", "Tx"]

T = TypeVar("T")

#: A row of a result: columns by name and by place.
Row = Mapping[str, Any]


class Clock(Protocol):
    """A clock that a store has of its own."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        ...


class Tx(Protocol):
    """One open transaction. Statements are named after the ``.sql`` file that holds them."""

    #: Places where things that must happen together at the end of the transaction gather (see
    #: ``engine.bell``).
    notes: dict[str, Any]

    def all(self, statement: str, **values: Any) -> list[Any]:
        """The rows of `statement`."""
        ...

    def one(self, statement: str, **values: Any) -> Any | None:
        """The first row, or None."""
        ...

    def run(self, statement: str, **values: Any) -> int:
        """Run `statement`; how many rows it changed."""
        ...

    def many(self, statement: str, rows: Iterable[Mapping[str, Any]]) -> int:
        """Run `statement` once for each of `rows`; how many rows it changed in all."""
        ...

    def later(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run `statement` for each of `rows` before the commit, at the latest; nobody asks what it changed, and no
        statement of the transaction looks at it."""
        ...

    def each(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> list[Any | None]:
        """Run `statement`, which answers with the `id` of what it changed, for each of `rows`, which have an `id`;
        the answer to each, None where it changed nothing."""
        ...

    def after_commit(self, action: Callable[[], None]) -> None:
        """Do `action` once the transaction is durable; it is forgotten when the transaction fails."""
        ...


class Store(Protocol):
    """Transactions over one database."""

    @property
    def dialect(self) -> str:
        """The folder of its statements: ``sqlite`` or ``postgresql``."""
        ...

    @property
    def is_shared(self) -> bool:
        """Whether other processes may write to it at the same time."""
        ...

    @property
    def doubts(self) -> int:
        """How many commits nobody knows of whether they are stored, because the answer was lost. What they did may be
        there twice, or unknown to whoever asked for it."""
        ...

    @property
    def clock(self) -> Clock | None:
        """The clock that all who use it share; None for that of this machine."""
        ...

    def write(self, operation: Callable[[Tx], T], *, yields: bool = False) -> T:
        """Run `operation` in a transaction and return its result after the commit.

        Operations that arrive while another commit is under way share the next one. An operation may be
        called again after a failed neighbour, so it changes nothing but the transaction. `yields`: it is a batch
        of many changes that has a transaction of its own, so that nobody waits for more than one such batch.
        """
        ...

    def write_all(self, operations: Sequence[Callable[[Tx], Any]]) -> list[Any]:
        """Like `write` for several operations in order; an operation that raised has its exception as
        result."""
        ...

    def read(self, statement: str, **values: Any) -> list[Any]:
        """The rows of `statement` on a read-only connection, so that lists never delay a commit."""
        ...

    def read_sql(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """The rows of a SELECT that was put together from fixed parts (lists with filters)."""
        ...

    def close(self) -> None:
        """Finish what is under way and let go of the files."""
        ...
