"""What people and programs see of work on many runs."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from .views import RunSummary, View

__all__ = ["BulkAction", "BulkPage", "BulkProblem"]


class BulkProblem(View):
    """A run that was not handled: ``failed``, or ``skipped`` because there was nothing to do to it, and why."""

    run: str
    outcome: Literal["failed", "skipped"]
    message: str


class BulkAction(View):
    """Cancel or replay of many runs in the background.

    `status` is ``PENDING``, ``PROCESSING``, ``COMPLETED``, ``ABORTED``, or ``DRY_RUN`` for one that only tells what it
    would do. `expected` runs fitted when it was made (counted up to 100,000); `total` are handled so far, of which some
    `succeeded`, some `failed`, and some were `skipped` because they had ended meanwhile. `problems` names the first 20;
    `examples`, of a dry run, the newest runs that fit.
    """

    id: str
    action: Literal["cancel", "replay"]
    status: Literal["PENDING", "PROCESSING", "COMPLETED", "ABORTED", "DRY_RUN"]
    name: str = ""
    reason: str = ""
    filter: dict[str, Any] | None = None
    expected: int = 0
    total: int = 0
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    problems: list[BulkProblem] = Field(default_factory=list)
    examples: list[RunSummary] = Field(default_factory=list)
    created_at: datetime
    ended_at: datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether no more runs will be handled."""
        return self.status in {"COMPLETED", "ABORTED", "DRY_RUN"}


class BulkPage(View):
    """Some bulk actions, newest first; `next_cursor` leads to the following page, None after the last."""

    items: list[BulkAction]
    next_cursor: str | None = None
