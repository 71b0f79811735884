"""What a run of a schedule is told."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

__all__ = ["ScheduledPayload"]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class ScheduledPayload:
    """The payload of a scheduled task. Times are aware, in UTC: ``timestamp.astimezone(ZoneInfo(timezone))`` is the
    time on the clock of the schedule.

    - ``timestamp``: the time that the run is for, which may be earlier than it starts. Without a schedule, as when
      somebody triggers the task: now.
    - ``last_timestamp``: the time that the run before was for; None for the first one.
    - ``timezone``: the schedule's. ``schedule_id``: its id; empty without one.
    - ``external_id``: what the schedule was created with.
    - ``upcoming``: the next ten times.
    """

    timestamp: datetime = field(default_factory=_now)
    last_timestamp: datetime | None = None
    timezone: str = "UTC"
    schedule_id: str = ""
    external_id: str | None = None
    upcoming: list[datetime] = field(default_factory=list)
