"""What clients ask about schedules, see `calls`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from ..errors import InvalidOptions
from ..model.cron import check_cron, check_zone
from ..model.duration import When, parse_when
from ..model.schedule_views import ScheduleDetail, SchedulePage, SchedulePreview, TimeZones
from .calls import Call

__all__ = [
    "KEEP",
    "activate_schedule",
    "create_schedule",
    "deactivate_schedule",
    "delete_schedule",
    "list_schedules",
    "list_timezones",
    "preview_schedule",
    "retrieve_schedule",
    "schedule_filters",
    "task_id",
    "update_schedule",
]

#: Leaves an external id as it is, which None takes away.
KEEP: Any = object()


def task_id(task: Any) -> str:
    """The id of a task, given as such or as the task itself."""
    found = task if isinstance(task, str) else getattr(task, "id", None)
    if not isinstance(found, str):
        raise InvalidOptions(f"task must be a task or its id, got {task!r} ({type(task).__name__})")
    return found


def create_schedule(
    task: Any, cron: str, timezone: str, external_id: str | None, deduplication_key: str
) -> Call[ScheduleDetail]:
    values = {
        "task": task_id(task),
        "cron": check_cron(cron),
        "timezone": check_zone(timezone),
        "deduplication_key": deduplication_key,
    }
    if external_id is not None:
        values["external_id"] = external_id
    return Call("schedules.create", values, ScheduleDetail.model_validate)


def update_schedule(
    schedule_id: str, task: Any | None, cron: str | None, timezone: str | None, external_id: str | None
) -> Call[ScheduleDetail]:
    values: dict[str, Any] = {"id": schedule_id}
    if task is not None:
        values["task"] = task_id(task)
    if cron is not None:
        values["cron"] = check_cron(cron)
    if timezone is not None:
        values["timezone"] = check_zone(timezone)
    if external_id is not KEEP:
        values["external_id"] = external_id
    return Call("schedules.update", values, ScheduleDetail.model_validate)


def retrieve_schedule(schedule_id: str) -> Call[ScheduleDetail]:
    return Call("schedules.retrieve", {"id": schedule_id}, ScheduleDetail.model_validate)


def activate_schedule(schedule_id: str) -> Call[ScheduleDetail]:
    return Call("schedules.activate", {"id": schedule_id}, ScheduleDetail.model_validate)


def deactivate_schedule(schedule_id: str) -> Call[ScheduleDetail]:
    return Call("schedules.deactivate", {"id": schedule_id}, ScheduleDetail.model_validate)


def delete_schedule(schedule_id: str) -> Call[None]:
    return Call("schedules.delete", {"id": schedule_id}, lambda _answer: None)


def list_schedules(filters: Mapping[str, Any], cursor: str | None) -> Call[SchedulePage]:
    values = dict(filters)
    if cursor is not None:
        values["cursor"] = cursor
    return Call("schedules.list", values, SchedulePage.model_validate)


def schedule_filters(
    task: Any | None, external_id: str | None, kind: str | None, active: bool | None, limit: int
) -> dict[str, Any]:
    """The filters of a list as plain values."""
    if not 1 <= limit <= 100:
        raise InvalidOptions(
            f"limit must be from 1 to 100 schedules a page, got {limit}; iterate to read further pages"
        )
    values: dict[str, Any] = {
        "task": None if task is None else task_id(task),
        "external_id": external_id,
        "kind": kind,
        "active": active,
        "limit": limit,
    }
    return {name: value for name, value in values.items() if value is not None}


def preview_schedule(cron: str, timezone: str, after: When | None, limit: int) -> Call[SchedulePreview]:
    values: dict[str, Any] = {"cron": check_cron(cron), "timezone": check_zone(timezone), "limit": limit}
    if after is not None:
        now = int(datetime.now(UTC).timestamp() * 1000)
        moment = datetime.fromtimestamp(parse_when(after, now, "after") / 1000, UTC)
        values["after"] = moment.isoformat(timespec="milliseconds")
    return Call("schedules.preview", values, SchedulePreview.model_validate)


def list_timezones() -> Call[list[str]]:
    return Call("timezones.list", {}, lambda answer: TimeZones.model_validate(answer).items)
