"""Shapes of error groups as users see them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .views import ErrorView, RunSummary, View

__all__ = ["ErrorDetail", "ErrorPage", "ErrorStatus", "ErrorSummary"]

ErrorStatus = Literal["UNRESOLVED", "RESOLVED", "IGNORED"]


class ErrorSummary(View):
    """Failures that are the same problem, as lists show them. `id` is their fingerprint.

    `type`, `message` and `code` are those of the latest failure, `count` is how many runs failed with it, `tasks` the
    tasks that met it, most often first (20 at most). `regressions`: how often it came back after it had been resolved.
    An ignored one is reopened at `ignored_until`, or by the failure that makes `count` reach `ignored_until_count`.
    """

    id: str
    type: str
    message: str
    code: str = ""
    status: ErrorStatus
    count: int
    first_seen_at: datetime
    last_seen_at: datetime
    first_run_id: str
    last_run_id: str
    tasks: list[str] = Field(default_factory=list)
    resolved_at: datetime | None = None
    ignored_at: datetime | None = None
    ignored_until: datetime | None = None
    ignored_until_count: int | None = None
    regressions: int = 0
    regressed_at: datetime | None = None


class ErrorDetail(ErrorSummary):
    """An error group with the `error` of its latest run, its latest `runs` (20 at most, newest first), and how many
    failures each task had (`task_counts`)."""

    task_counts: dict[str, int] = Field(default_factory=dict)
    error: ErrorView | None = None
    runs: list[RunSummary] = Field(default_factory=list)


class ErrorPage(View):
    """Some error groups, latest seen first; `next_cursor` leads to the following page, None after the last."""

    items: list[ErrorSummary]
    next_cursor: str | None = None
