"""What clients can ask about the lines of all runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Protocol

from msgspec import Meta

from ..errors import InvalidOptions
from ..model.duration import parse_duration
from ..model.log_query import LineQuery
from . import views
from .engine import Engine
from .queries import Cursor, Level, Moment, moment, whole

__all__ = ["LogOperations"]

#: Most lines of a page, and characters of a text to look for.
PAGE, TEXT_CHARS = 1_000, 1_000

LinesLimit = Annotated[int, Meta(ge=1, le=PAGE)]
Text = Annotated[str, Meta(max_length=TEXT_CHARS)]


class Lines(Protocol):
    """Where the lines of runs are kept."""

    def search(self, query: LineQuery) -> tuple[list[dict[str, Any]], int | None]: ...


class LogOperations:
    """The search over the lines of an environment. `telemetry`: where they are kept, if at all."""

    def __init__(self, engine: Engine, telemetry: Lines | None) -> None:
        self._engine = engine
        self._telemetry = telemetry

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {"logs.search": self.search}

    def search(
        self,
        *,
        text: Text | None = None,
        level: Level | None = None,
        task: str | None = None,
        run: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        period: str | None = None,
        order: Literal["newest", "oldest"] = "newest",
        limit: LinesLimit = 100,
        cursor: Cursor | None = None,
    ) -> dict[str, Any]:
        """A page of lines that runs wrote, over all runs.

        `text` is looked for in messages and attributes; `level` means this one and those above it; `since`, `until`:
        ISO-8601 with a zone; `period`: a length of time back from now. A page may be short, or empty, and have a
        cursor: no more was looked at.
        """
        begins = moment("since", since)
        if period is not None:
            if since is not None:
                raise InvalidOptions("since and period were both given; leave one of them out")
            begins = self._engine.clock.now() - parse_duration(period, "period")
        query = LineQuery(
            self._engine.env,
            text=text or None,
            level=level,
            task=task,
            run=run,
            since=begins,
            until=moment("until", until),
            oldest_first=order == "oldest",
            after=None if cursor is None else whole("cursor", cursor, 1, 2**62),
            limit=whole("limit", limit, 1, PAGE),
        )
        rows, following = ([], None) if self._telemetry is None else self._telemetry.search(query)
        for row in rows:
            row["at"] = views.iso(row["at"])
        return {"items": rows, "next_cursor": None if following is None else str(following)}
