"""Which lines somebody looks for, over all runs of an environment."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LineQuery"]


@dataclass(frozen=True, slots=True)
class LineQuery:
    """Which lines of an environment. `since`, `until`: milliseconds since 1970. `level`: this one and those above it.

    `text` is looked for in messages and attributes, ASCII letters in either case. `after`: the seq to go on from, in
    the order that is asked for.
    """

    env: str
    text: str | None = None
    level: str | None = None
    task: str | None = None
    run: str | None = None
    since: int | None = None
    until: int | None = None
    oldest_first: bool = False
    after: int | None = None
    limit: int = 100
