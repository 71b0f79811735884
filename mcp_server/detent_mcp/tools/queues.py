"""Queues: their limits, and what executes and waits in them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from detent.errors import near_names

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..results import at, row
from ..tool import tool

__all__ = ["control_queue", "list_queues"]

_MOST_ROWS = 60


def _queue_row(queue: dict[str, Any]) -> dict[str, Any]:
    declared = queue.get("declared_limit")
    return row(
        queue=queue["name"],
        running=queue["running"],
        queued=queue["queued"],
        limit=queue.get("limit"),
        declared_limit=declared if queue.get("overridden_at") else None,
        override_until=at(queue.get("override_until")),
        limit_per_key=queue.get("limit_per_key"),
        paused=queue["paused"] or None,
    )


@tool(
    "list_queues",
    "Queues with what executes, what waits, limits and pauses; fullest first. Use when runs stay queued.",
    title="List queues",
    needs="queues:read",
)
async def list_queues(call: Call, *, search: Annotated[str | None, "in the name"] = None) -> dict[str, Any]:
    answer = await call.ask("queues.list")
    found = [each for each in answer["items"] if search is None or search.lower() in each["name"].lower()]
    if search is not None and not found:
        raise Refusal(near_names("queue", search, [each["name"] for each in answer["items"]]), code="not_found")
    found.sort(key=lambda each: (-each["queued"], -each["running"], each["name"]))
    rows = [_queue_row(each) for each in found[:_MOST_ROWS]]
    more = f"{len(found) - _MOST_ROWS} more: narrow it by search" if len(found) > _MOST_ROWS else None
    return {"environment": call.where.environment, "queues": rows, **row(next=more)}


@tool(
    "control_queue",
    "Pause or resume a queue, set another concurrency limit (limit, ttl) or reset it. What executes goes on.",
    title="Control queue",
    effect="writes",
    needs="queues:write",
    idempotent=True,
)
async def control_queue(
    call: Call,
    *,
    queue: str,
    action: Literal["pause", "resume", "limit", "reset"],
    limit: int | None = None,
    ttl: Annotated[str | None, "e.g. 1h"] = None,
) -> dict[str, Any]:
    if (action == "limit") != (limit is not None):
        raise Refusal(
            "action 'limit' needs limit, a whole number from 1"
            if limit is None
            else f"limit is for action 'limit', got action {action!r}",
            code="invalid_arguments",
        )
    if ttl is not None and action != "limit":
        raise Refusal(f"ttl is for action 'limit', got action {action!r}", code="invalid_arguments")
    if action == "limit":
        answer = await call.ask("queues.override", id=queue, limit=limit, ttl=ttl)
    else:
        answer = await call.ask(f"queues.{action}", id=queue)
    back = {"pause": "resume", "limit": "reset"}.get(action)
    undo = None if back is None else next_call(call, "control_queue", queue=queue, action=back)
    return {"done": action, **_queue_row(answer), **row(undo=undo)}
