"""Lines that were found over all runs."""

from __future__ import annotations

from .views import LogEntry, View

__all__ = ["FoundLine", "LogPage"]


class FoundLine(LogEntry):
    """A line, with the run and the task that wrote it (`task` is empty for lines of an older version)."""

    run_id: str
    task: str = ""


class LogPage(View):
    """Some lines; `next_cursor` leads to those that follow, None when all was looked at. A page may be empty and have
    a cursor: so much was looked at, and nothing fitted."""

    items: list[FoundLine]
    next_cursor: str | None = None
