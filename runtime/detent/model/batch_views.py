"""What people and programs see of batches."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .views import RunOutcome, View

__all__ = ["BatchDetail", "BatchPage", "BatchResults", "BatchSummary"]


class BatchSummary(View):
    """A batch of `total` runs: ``PENDING`` until the first begins, ``PROCESSING`` until the last has ended, then
    ``COMPLETED``, or ``PARTIAL_FAILED`` where not all did.

    `counts` has how many runs are in each status; they are fewer than `total` once some were removed. `parent_id` is
    the run that triggered it.
    """

    id: str
    status: Literal["PENDING", "PROCESSING", "COMPLETED", "PARTIAL_FAILED"]
    total: int
    counts: dict[str, int] = Field(default_factory=dict)
    parent_id: str | None = None
    created_at: datetime
    finished_at: datetime | None = None

    @property
    def is_finished(self) -> bool:
        """Whether all of its runs have ended."""
        return self.status in {"COMPLETED", "PARTIAL_FAILED"}


class BatchDetail(BatchSummary):
    """A batch, and the ids of some of its runs in the order of the items; `next_cursor` leads to the following ones,
    None after the last."""

    runs: list[str] = Field(default_factory=list)
    next_cursor: str | None = None


class BatchPage(View):
    """Some batches, newest first; `next_cursor` leads to the following page, None after the last."""

    items: list[BatchSummary]
    next_cursor: str | None = None


class BatchResults(View):
    """How some runs of a batch stand, in the order of the items; `next_cursor` leads to the following page, None after
    the last."""

    items: list[RunOutcome]
    next_cursor: str | None = None
