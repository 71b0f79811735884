"""What people and programs see of schedules."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import Field

from .views import View

__all__ = [
    "ScheduleDeleted",
    "ScheduleDetail",
    "SchedulePage",
    "SchedulePreview",
    "ScheduleSummary",
    "TimeZones",
]


class ScheduleSummary(View):
    """A schedule as lists show it: `task` runs whenever the five fields of `cron` fit the clock of `timezone`.

    `kind` is ``declared`` (with the task, in the code) or ``created`` (at run time, under its `deduplication_key`).
    `next_at` is when it is due next, None while it is not `active`; `last_at` the time that its latest run was for.
    `problem` says why the latest time passed without a run.
    """

    id: str
    task: str
    kind: Literal["declared", "created"]
    cron: str
    timezone: str
    active: bool
    external_id: str | None = None
    deduplication_key: str | None = None
    next_at: datetime | None = None
    last_at: datetime | None = None
    problem: str | None = None
    created_at: datetime
    updated_at: datetime


class ScheduleDetail(ScheduleSummary):
    """A schedule with the next ten times at which it is due; none while it is not active."""

    upcoming: list[datetime] = Field(default_factory=list)


class SchedulePage(View):
    """Some schedules, newest first; `next_cursor` leads to the following page, None after the last."""

    items: list[ScheduleSummary]
    next_cursor: str | None = None


class ScheduleDeleted(View):
    """A schedule that is no more."""

    id: str
    deleted: bool = True


class SchedulePreview(View):
    """The next times of a pattern on the clock of a zone."""

    cron: str
    timezone: str
    upcoming: list[datetime]


class TimeZones(View):
    """The names of all time zones, ``UTC`` first."""

    items: list[str]
