"""Schedules: tasks that run by the clock."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..results import at, row
from ..tool import tool
from ..untrusted import shown_text

__all__ = ["read_schedules", "schedules"]

_READING = frozenset({"list", "show", "preview"})
#: What each action needs, by name.
_NEEDS = {
    "show": ("id",),
    "preview": ("cron",),
    "create": ("task", "cron", "key"),
    "change": ("id",),
    "pause": ("id",),
    "resume": ("id",),
    "delete": ("id",),
}
_OPERATIONS = {"pause": "schedules.deactivate", "resume": "schedules.activate", "delete": "schedules.delete"}
_SHOWN_TIMES = 5


def _schedule_row(schedule: dict[str, Any]) -> dict[str, Any]:
    problem = schedule.get("problem")
    return row(
        id=schedule["id"],
        task=schedule["task"],
        cron=schedule["cron"],
        timezone=schedule["timezone"] if schedule["timezone"] != "UTC" else None,
        kind=schedule["kind"],
        key=schedule.get("deduplication_key"),
        external_id=schedule.get("external_id"),
        active=None if schedule["active"] else False,
        next_at=at(schedule.get("next_at")),
        problem=None if problem is None else shown_text(problem, 120),
        upcoming=[at(moment) for moment in schedule.get("upcoming", [])[1:_SHOWN_TIMES]],
    )


@tool(
    "schedules",
    "Schedules (cron): list, show, preview the times of a cron; create (the same key changes it), change, pause, "
    "resume, delete. Declared ones are changed in the code.",
    title="Schedules",
    effect="destroys",
    needs="schedules:write",
    unless=lambda values: values.get("action", "list") in _READING,
)
async def schedules(
    call: Call,
    *,
    action: Literal["list", "show", "preview", "create", "change", "pause", "resume", "delete"] = "list",
    id: str | None = None,
    task: str | None = None,
    cron: Annotated[str | None, "5 fields"] = None,
    timezone: Annotated[str | None, "IANA, default UTC"] = None,
    key: str | None = None,
    external_id: str | None = None,
    cursor: str | None = None,
) -> dict[str, Any]:
    given = row(id=id, task=task, cron=cron, timezone=timezone, key=key, external_id=external_id, cursor=cursor)
    _check(action, given)
    if action in _READING:
        return await _read(call, action, **given)
    values = row(task=task, cron=cron, timezone=timezone, external_id=external_id)
    if action == "create":
        answer = await call.ask("schedules.create", deduplication_key=key, **values)
    elif action == "change":
        if not values:
            raise Refusal(
                "change needs what is to be otherwise: task, cron, timezone or external_id", code="invalid_arguments"
            )
        answer = await call.ask("schedules.update", id=id, **values)
    else:
        answer = await call.ask(_OPERATIONS[action], id=id)
    told = {"id": id} if action == "delete" else _schedule_row(answer)
    return {"done": action, **told, "next": f"{next_call(call, 'schedules', action='list')} shows all"}


@tool(
    "schedules",
    "Schedules (cron): list them, show one with its next times, preview the times of a cron.",
    title="Schedules",
    needs="schedules:read",
    stands_in=True,
)
async def read_schedules(
    call: Call,
    *,
    action: Literal["list", "show", "preview"] = "list",
    id: str | None = None,
    task: str | None = None,
    cron: str | None = None,
    timezone: str | None = None,
    cursor: str | None = None,
) -> dict[str, Any]:
    given = row(id=id, task=task, cron=cron, timezone=timezone, cursor=cursor)
    _check(action, given)
    return await _read(call, action, **given)


def _check(action: str, given: dict[str, Any]) -> None:
    missing = [name for name in _NEEDS.get(action, ()) if name not in given]
    if missing:
        raise Refusal(
            f"schedules(action={action!r}) needs {' and '.join(missing)}",
            next="schedules(action='list') shows ids" if "id" in missing else None,
            code="invalid_arguments",
        )


async def _read(call: Call, action: str, **given: Any) -> dict[str, Any]:
    environment = call.where.environment
    if action == "preview":
        answer = await call.ask("schedules.preview", cron=given["cron"], timezone=given.get("timezone"))
        return {"cron": answer["cron"], "timezone": answer["timezone"], "upcoming": list(map(at, answer["upcoming"]))}
    if action == "show":
        return {"environment": environment, **_schedule_row(await call.ask("schedules.retrieve", id=given["id"]))}
    page = await call.ask("schedules.list", limit=25, task=given.get("task"), cursor=given.get("cursor"))
    more = page.get("next_cursor")
    rows = [_schedule_row(each) for each in page["items"]]
    following = f"more: the same call with cursor={more!r}" if more else None
    return {"environment": environment, "schedules": rows, **row(next=following)}
