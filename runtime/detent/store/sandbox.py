"""What queries of strangers are answered by: one SELECT over a few views, whatever the runs are kept in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from ..errors import LimitExceeded

__all__ = ["MOST_CHARS", "MOST_ROWS", "MOST_S", "Answered", "Redacting", "Sandbox", "SandboxView", "too_long"]

#: Longest time of a query in seconds; most rows, characters of all rows.
MOST_S, MOST_ROWS, MOST_CHARS = 10.0, 10_000, 10_000_000


@dataclass(frozen=True, slots=True)
class SandboxView:
    """One view: its `columns` are expressions by name, in which ``@text(...)`` and ``@json(...)`` show what users wrote
    without secrets, over `source`, a FROM clause of tables in ``@store`` or
    ``@telemetry``, which is what `file` says; `where` must hold, with ``:env`` for the environment."""

    name: str
    columns: Mapping[str, str]
    source: str
    where: str
    file: str = "@store"


class Redacting(Protocol):
    """What takes secrets out of a text, and of JSON as text."""

    def text(self, text: str) -> str: ...

    def json_text(self, text: str) -> str: ...


class Answered(NamedTuple):
    """Rows of a query. `is_cut`: there were more, or they were too large."""

    columns: list[str]
    rows: list[list[Any]]
    is_cut: bool


class Sandbox(Protocol):
    """Answers queries. They are written in SQLite's SQL, whatever the store."""

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
        ...


def too_long(most_s: float) -> LimitExceeded:
    """Of a query that was ended after so many seconds."""
    return LimitExceeded(f"the query took longer than {most_s:g} s; ask for less, such as a shorter time")
