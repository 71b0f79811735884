"""Runs: finding them."""

from __future__ import annotations

from typing import Annotated, Any

from detent.errors import near_names
from detent.model.status import Status

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..results import at, row, took
from ..tool import tool
from ..untrusted import mark, shown_text

__all__ = ["list_runs", "run_row", "statuses"]

#: Characters of an error in a row.
_ERROR = 90
_MOST = 100


def statuses(names: list[str] | None) -> list[str] | None:
    """Names of statuses as the server knows them; ``failed`` stands for all that did not end well.

    Errors: `Refusal` with near names.
    """
    if names is None:
        return None
    known = [status.value for status in Status]
    found = []
    for name in names:
        for part in name.upper().replace(" ", "").split(","):
            if part not in known:
                raise Refusal(near_names("status", part, known), code="invalid_arguments")
            found.append(part)
    return found


def run_row(run: dict[str, Any]) -> dict[str, Any]:
    """A run as lists show it: at most about 60 tokens."""
    error = run.get("error")
    return row(
        id=run["id"],
        task=run["task"],
        status=run["status"],
        at=at(run["created_at"]),
        took=took(run.get("duration_ms")),
        attempt=run["attempt"] if run.get("attempt", 1) > 1 else None,
        error=None if error is None else shown_text(f"{error['type']}: {error['message']}", _ERROR),
    )


@tool(
    "list_runs",
    "Find runs, newest first; failed ones with their error. Use for 'the last failed runs', 'what ran today'.",
    title="List runs",
    needs="runs:read",
)
async def list_runs(
    call: Call,
    *,
    status: Annotated[list[str] | None, "FAILED, EXECUTING, ..."] = None,
    task: str | None = None,
    tag: str | None = None,
    queue: str | None = None,
    period: Annotated[str | None, "e.g. 1h, 7d"] = None,
    search: Annotated[str | None, "in id, task, error"] = None,
    limit: Annotated[int, "1-100, default 20"] = 20,
    cursor: str | None = None,
) -> dict[str, Any]:
    if not 1 <= limit <= _MOST:
        raise Refusal(f"limit must be 1 to {_MOST}, got {limit}", code="invalid_arguments")
    page = await call.ask(
        "runs.list",
        status=statuses(status),
        task=task,
        tag=tag,
        queue=queue,
        period=period,
        search=search,
        limit=limit,
        cursor=cursor,
    )
    rows = [run_row(run) for run in page["items"]]
    result: dict[str, Any] = {"environment": call.where.environment, "runs": rows}
    following = page.get("next_cursor")
    if following:
        result["next"] = f"more: the same call with cursor={following!r}"
    elif not rows:
        result["next"] = "nothing fits; widen the filters, or trigger_task()"
    failed = next((each["id"] for each in rows if "error" in each), None)
    if failed is not None:
        result["why"] = next_call(call, "diagnose_run", run=failed)
        mark(result, "error")
    return result
