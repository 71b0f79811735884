"""Waitpoint tokens: what runs wait for until a person or a service completes it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ..call import Call
from ..next_calls import is_offered, next_call
from ..repeats import once
from ..results import at, row
from ..tool import tool
from ..untrusted import mark, shown_text

__all__ = ["complete_waitpoint", "list_waitpoints"]


@tool(
    "list_waitpoints",
    "Tokens that runs wait for (approvals, callbacks). Use when a run is WAITING for a person.",
    title="List waitpoints",
    needs="tokens:read",
)
async def list_waitpoints(
    call: Call,
    *,
    status: Literal["WAITING", "COMPLETED", "TIMED_OUT"] | None = "WAITING",
    tag: str | None = None,
    limit: Annotated[int, "default 20"] = 20,
    cursor: str | None = None,
) -> dict[str, Any]:
    page = await call.ask("tokens.list", status=status, tag=tag, limit=limit, cursor=cursor)
    rows = [
        row(
            token=token["id"],
            status=token["status"],
            at=at(token["created_at"]),
            timeout_at=at(token.get("timeout_at")),
            tags=[shown_text(tag, 100) for tag in token.get("tags") or ()],
            waiting_runs=token.get("waiting_runs", [])[:3],
        )
        for token in page["items"]
    ]
    result: dict[str, Any] = {"environment": call.where.environment, "waitpoints": rows}
    if page.get("next_cursor"):
        result["next"] = f"more: the same call with cursor={page['next_cursor']!r}"
    elif any(each["status"] == "WAITING" for each in rows):
        offered = is_offered(call, "complete_waitpoint")
        complete = "complete_waitpoint(token=..., output=...)" if offered else "`detent tokens complete TOKEN JSON`"
        result["next"] = f"{complete} lets the runs go on, when the user says so"
    return mark(result, "tags") if any("tags" in each for each in rows) else result


@tool(
    "complete_waitpoint",
    "Complete a token with an output, so that the runs which wait for it go on. Only when the user decides so.",
    title="Complete waitpoint",
    effect="writes",
    needs="tokens:write",
    idempotent=True,
)
async def complete_waitpoint(call: Call, *, token: str, output: Annotated[Any, "JSON"] = None) -> dict[str, Any]:
    with once(call, "call", token, output) as made:
        completed = await call.ask("tokens.complete", id=token, output=output, by=made.id)
    runs = completed.get("waiting_runs", [])
    return row(
        token=token,
        status=completed["status"],
        run=completed.get("run_id"),
        next=next_call(call, "wait_for_run_to_complete", runs=runs[:5]) if runs else None,
    )
