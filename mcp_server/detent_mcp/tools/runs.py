"""Runs: finding them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from detent.errors import near_names
from detent.model.status import Status

from ..call import Call
from ..next_calls import is_offered, next_call
from ..refusals import Refusal
from ..results import row, took
from ..tool import tool
from ..untrusted import clean, mark

__all__ = ["list_runs", "run_row", "statuses"]

#: Characters of the errors of all rows together; of one at least, and at most.
_ERRORS, _ERROR, _LONGEST_ERROR = 800, 48, 100
_MOST = 100
#: Lengths of time in seconds, from which on they are counted.
_UNITS = ((86_400, "d"), (3_600, "h"), (60, "m"), (1, "s"))


def statuses(names: list[str] | None) -> list[str] | None:
    """Names of statuses as the server knows them. Errors: `Refusal` with near names."""
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


def run_row(run: dict[str, Any], most: int = _ERROR) -> dict[str, Any]:
    """A run as lists show it: at most about 60 tokens. `age` is how long ago it was triggered.

    Parameters:
      most: characters of its error.
    """
    error = run.get("error")
    return row(
        id=run["id"],
        task=run["task"],
        status=run["status"],
        age=_age(run["created_at"]),
        took=took(run.get("duration_ms")) if error is None else None,
        error=None if error is None else _shortened(clean(f"{error['type']}: {error['message'][:500]}"), most),
    )


def _age(moment: str) -> str:
    seconds = max(0.0, (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds())
    size, unit = next(((size, unit) for size, unit in _UNITS if seconds >= size), _UNITS[-1])
    return f"{round(seconds / size)}{unit}"


def _shortened(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[:most]}…"


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
    failed_ones = sum(run.get("error") is not None for run in page["items"])
    most = max(_ERROR, min(_LONGEST_ERROR, _ERRORS // max(failed_ones, 1)))
    rows = [run_row(run, most) for run in page["items"]]
    result: dict[str, Any] = {"environment": call.where.environment, "runs": rows}
    following = page.get("next_cursor")
    if following:
        result["next"] = f"more: the same call with cursor={following!r}"
    elif not rows:
        start = f", or {next_call(call, 'trigger_task')} makes a run" if is_offered(call, "trigger_task") else ""
        result["next"] = f"nothing fits; widen the filters{start}"
    failed = next((each["id"] for each in rows if "error" in each), None)
    if failed is not None:
        result["why"] = next_call(call, "diagnose_run", run=failed)
        mark(result, "error")
    return result
