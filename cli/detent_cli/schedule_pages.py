"""Schedules as people read them."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from rich.table import Table
from rich.text import Text

from detent.model.schedule_views import ScheduleDetail, SchedulePage
from detent_cli.console import clean, stdout
from detent_cli.styles import ago, local_time, one_line

__all__ = ["print_schedule", "print_schedules", "zone_time"]


def zone_time(moment: datetime, zone: str) -> str:
    """Date and time on the clock of `zone`, with its offset."""
    return f"{moment.astimezone(ZoneInfo(zone)):%a %Y-%m-%d %H:%M %z}"


def print_schedules(page: SchedulePage) -> None:
    """A table, newest first."""
    if not page.items:
        return
    console = stdout()
    moment = ago if console.is_terminal else local_time
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title in ("SCHEDULE", "TASK", "CRON", "ZONE", "NEXT"):
        table.add_column(title, no_wrap=True)
    table.add_column("", no_wrap=True, overflow="ellipsis")
    for schedule in page.items:
        table.add_row(
            schedule.id,
            one_line(schedule.task),
            schedule.cron,
            schedule.timezone,
            _next(schedule.next_at, schedule.active, moment(schedule.next_at) if schedule.next_at else ""),
            schedule.kind if schedule.external_id is None else f"{schedule.kind} {one_line(schedule.external_id)}",
            style="" if schedule.active else "dim",
        )
    console.print(table)


def print_schedule(schedule: ScheduleDetail) -> None:
    """All that is known of a schedule."""
    console = stdout()
    console.print(Text.assemble((schedule.id, "bold"), "  ", (_state(schedule), "green" if schedule.active else "dim")))
    facts = {
        "task": one_line(schedule.task),
        "cron": f"{schedule.cron}, {schedule.timezone}",
        "kind": schedule.kind,
        "key": one_line(schedule.deduplication_key or ""),
        "external id": one_line(schedule.external_id or ""),
        "latest": "" if schedule.last_at is None else zone_time(schedule.last_at, schedule.timezone),
        "created": local_time(schedule.created_at),
        "next": "\n".join(zone_time(moment, schedule.timezone) for moment in schedule.upcoming),
    }
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, fact in facts.items():
        if fact:
            table.add_row(f"  {name}", fact)
    console.print(table)
    if schedule.problem is not None:
        console.print(Text(clean(schedule.problem), style="yellow"))


def _state(schedule: ScheduleDetail) -> str:
    return "active" if schedule.active else "not active"


def _next(moment: datetime | None, active: bool, shown: str) -> str:
    if moment is not None:
        return shown
    return "never" if active else "not active"
