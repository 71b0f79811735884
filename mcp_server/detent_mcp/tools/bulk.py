"""Many runs at once: cancelled or replayed by filter, in the background."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..repeats import once
from ..results import at, row
from ..tool import tool
from ..untrusted import mark, shown_text
from .runs import run_row, statuses

__all__ = ["abort_bulk_action", "bulk_runs", "list_bulk_actions", "reset_idempotency_key"]

_EXAMPLES, _PROBLEMS = 5, 5
_TOOLSET = "bulk"


def _action_row(action: dict[str, Any]) -> dict[str, Any]:
    return row(
        id=action["id"],
        action=action["action"],
        status=action["status"],
        expected=action.get("expected"),
        done=action.get("total"),
        succeeded=action.get("succeeded"),
        failed=action.get("failed"),
        skipped=action.get("skipped"),
        filter=action.get("filter"),
        at=at(action.get("created_at")),
        problems=[shown_text(str(each), 160) for each in action.get("problems", [])[:_PROBLEMS]],
    )


@tool(
    "bulk_runs",
    "Cancel or replay many runs, those of ids or all that fit the filters now. dry_run=true first: it counts them and "
    "shows examples.",
    title="Bulk runs",
    effect="destroys",
    needs="runs:write",
    toolset=_TOOLSET,
    unless=lambda values: bool(values.get("dry_run")),
)
async def bulk_runs(
    call: Call,
    *,
    action: Literal["cancel", "replay"],
    ids: list[str] | None = None,
    status: list[str] | None = None,
    task: list[str] | None = None,
    tag: list[str] | None = None,
    queue: str | None = None,
    period: Annotated[str | None, "e.g. 1h"] = None,
    error: Annotated[str | None, "text in the error"] = None,
    reason: str | None = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    filters = row(status=statuses(status), task=task, tag=tag, queue=queue, period=period, error=error)
    if bool(filters) == (ids is not None):
        raise Refusal(
            "bulk_runs needs either ids, or at least one filter: status, task, tag, queue, period, error",
            code="invalid_arguments",
        )
    values = row(action=action, filter=filters, ids=ids, reason=reason, dry_run=dry_run or None)
    with once(call, "bulk", values) as made:
        answer = await call.ask("bulk.create", id=made.id, **values)
    told = _action_row(answer)
    if dry_run:
        told["examples"] = [run_row(run) for run in answer.get("examples", [])[:_EXAMPLES]]
        told["next"] = "the same call without dry_run does it"
        return mark(told, "error")
    return told | {"next": f"{next_call(call, 'list_bulk_actions', id=answer['id'])} tells how far it is"}


@tool(
    "list_bulk_actions",
    "Bulk actions and how far they are; one alone with id.",
    title="List bulk actions",
    needs="runs:read",
    toolset=_TOOLSET,
)
async def list_bulk_actions(call: Call, *, id: str | None = None, cursor: str | None = None) -> dict[str, Any]:
    if id is not None:
        return mark(_action_row(await call.ask("bulk.retrieve", id=id)), "problems")
    page = await call.ask("bulk.list", limit=20, cursor=cursor)
    following = page.get("next_cursor")
    more = f"more: the same call with cursor={following!r}" if following else None
    return mark({"actions": [_action_row(each) for each in page["items"]], **row(next=more)}, "problems")


@tool(
    "abort_bulk_action",
    "Stop a bulk action; what it has done stays done.",
    title="Abort bulk action",
    effect="writes",
    needs="runs:write",
    toolset=_TOOLSET,
    idempotent=True,
)
async def abort_bulk_action(call: Call, *, id: str) -> dict[str, Any]:
    return _action_row(await call.ask("bulk.abort", id=id))


@tool(
    "reset_idempotency_key",
    "Let an idempotency key of a task go, so that the next trigger with it starts a new run.",
    title="Reset idempotency key",
    effect="writes",
    needs="runs:write",
    toolset=_TOOLSET,
    idempotent=True,
)
async def reset_idempotency_key(
    call: Call, *, task: str, key: Annotated[str, "as given, or a run's hash"]
) -> dict[str, Any]:
    answer = await call.ask("idempotency.reset", id=key, task=task)
    return row(key=key, task=task, run=answer.get("run_id"))
