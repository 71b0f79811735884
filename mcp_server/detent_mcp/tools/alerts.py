"""Errors in groups, and who is told of them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..results import at, row
from ..tool import tool
from ..untrusted import mark, shown, shown_text

__all__ = ["alerts", "control_error", "list_errors", "read_alerts"]

_TOOLSET = "alerts"
_READING = frozenset({"list", "deliveries", "delivery"})
_ERROR = 140


def _error_row(error: dict[str, Any]) -> dict[str, Any]:
    return row(
        id=error["id"],
        status=error["status"],
        count=error["count"],
        first_seen=at(error.get("first_seen")),
        last_seen=at(error.get("last_seen")),
        tasks=error.get("tasks", [])[:3],
        error=shown_text(f"{error['type']}: {error['message']}", _ERROR),
    )


@tool(
    "list_errors",
    "Failed runs in groups by what went wrong, with counts; by id one with its runs. Use for 'what breaks most'.",
    title="List errors",
    needs="errors:read",
    toolset=_TOOLSET,
)
async def list_errors(
    call: Call,
    *,
    id: str | None = None,
    status: Literal["UNRESOLVED", "RESOLVED", "IGNORED"] | None = None,
    task: list[str] | None = None,
    search: str | None = None,
    limit: Annotated[int, "default 20"] = 20,
    cursor: str | None = None,
) -> dict[str, Any]:
    environment = call.where.environment
    if id is not None:
        found = await call.ask("errors.retrieve", id=id)
        runs = [each["id"] for each in found.get("runs", [])[:10]]
        following = next_call(call, "diagnose_run", run=runs[0]) if runs else None
        return mark({"environment": environment, **_error_row(found), **row(runs=runs, next=following)}, "error")
    page = await call.ask("errors.list", status=status, task=task, search=search, limit=limit, cursor=cursor)
    more = page.get("next_cursor")
    following = f"more: the same call with cursor={more!r}" if more else None
    rows = [_error_row(each) for each in page["items"]]
    return mark({"environment": environment, "errors": rows, **row(next=following)}, "error")


@tool(
    "control_error",
    "Mark a group of errors resolved (a later failure reopens it), ignored (for good, or until) or open again.",
    title="Control error",
    effect="writes",
    needs="errors:write",
    toolset=_TOOLSET,
    idempotent=True,
)
async def control_error(
    call: Call,
    *,
    id: str,
    action: Literal["resolve", "ignore", "unresolve"],
    until: Annotated[str | None, "of ignore: e.g. 7d"] = None,
) -> dict[str, Any]:
    values = {"until": until} if action == "ignore" else {}
    return mark({"done": action, **_error_row(await call.ask(f"errors.{action}", id=id, **values))}, "error")


def _alert_row(alert: dict[str, Any]) -> dict[str, Any]:
    return row(
        id=alert["id"],
        name=alert["name"],
        events=alert["events"],
        channel=alert["channel"],
        target=alert["target"],
        task=alert.get("task"),
        tag=alert.get("tag"),
        queue=alert.get("queue"),
        enabled=None if alert["enabled"] else False,
        disabled_reason=alert.get("disabled_reason"),
        failures=alert.get("failures") or None,
    )


@tool(
    "alerts",
    "Who is told of failed runs, long queues, missing workers. list, deliveries, delivery; create (events and one of "
    "webhook, slack, email), test, delete, replay a delivery.",
    title="Alerts",
    effect="destroys",
    needs="alerts:write",
    toolset=_TOOLSET,
    unless=lambda values: values.get("action", "list") in _READING,
)
async def alerts(
    call: Call,
    *,
    action: Literal["list", "deliveries", "delivery", "create", "test", "delete", "replay"] = "list",
    id: str | None = None,
    events: Annotated[list[str] | None, "run.failed, run.completed, queue.too_long, worker.none ..."] = None,
    name: str | None = None,
    webhook: str | None = None,
    slack: str | None = None,
    email: list[str] | None = None,
    task: list[str] | None = None,
    cursor: str | None = None,
) -> dict[str, Any]:
    if action in _READING:
        return await _read(call, action, id, cursor)
    if action == "create":
        if not events:
            raise Refusal("alerts(action='create') needs events, and webhook, slack or email", code="invalid_arguments")
        answer = await call.ask(
            "alerts.create", events=events, name=name, webhook=webhook, slack=slack, email=email, task=task
        )
        made = answer.get("secret") is not None
        secret = (
            "the signing secret is not shown here; the user gets one: detent alerts rotate-secret ID" if made else None
        )
        return {"done": action, **_alert_row(answer), **row(secret=secret)}
    if id is None:
        raise Refusal(f"alerts(action={action!r}) needs id", next="alerts() lists them", code="invalid_arguments")
    answer = await call.ask(f"alerts.{action}", id=id)
    return {"done": action, **(_alert_row(answer) if action == "delete" else _delivery_row(answer))}


@tool(
    "alerts",
    "Who is told of failed runs, long queues, missing workers: list, deliveries of messages, one delivery.",
    title="Alerts",
    needs="alerts:read",
    toolset=_TOOLSET,
    stands_in=True,
)
async def read_alerts(
    call: Call,
    *,
    action: Literal["list", "deliveries", "delivery"] = "list",
    id: str | None = None,
    cursor: str | None = None,
) -> dict[str, Any]:
    return await _read(call, action, id, cursor)


async def _read(call: Call, action: str, id: str | None, cursor: str | None) -> dict[str, Any]:
    environment = call.where.environment
    if action == "list":
        answer = await call.ask("alerts.list")
        return {"environment": environment, "alerts": [_alert_row(each) for each in answer["items"]]}
    if action == "delivery":
        if id is None:
            raise Refusal("alerts(action='delivery') needs id", next="alerts(action='deliveries')")
        found = await call.ask("alerts.delivery", id=id)
        return mark({**_delivery_row(found), "body": shown(found.get("body"), 2_000)}, "body")
    page = await call.ask("alerts.deliveries", alert=id, limit=20, cursor=cursor)
    more = page.get("next_cursor")
    following = f"more: the same call with cursor={more!r}" if more else None
    return {
        "environment": environment,
        "deliveries": [_delivery_row(each) for each in page["items"]],
        **row(next=following),
    }


def _delivery_row(delivery: dict[str, Any]) -> dict[str, Any]:
    kept = ("id", "alert_id", "alert", "event", "status", "attempts", "next_at", "last_error", "error")
    told = {name: delivery[name] for name in kept if name in delivery and not isinstance(delivery[name], list | dict)}
    return row(**told, at=at(delivery.get("created_at")))
