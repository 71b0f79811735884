"""What runs wrote."""

from __future__ import annotations

from itertools import groupby
from typing import Annotated, Any, Literal

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..results import row
from ..run_text import asked_run
from ..tool import tool
from ..untrusted import mark_present
from .run_details import log_line

__all__ = ["search_logs"]

_MOST = 200


@tool(
    "search_logs",
    "Search the log lines of all runs (newest first), or read those of one (oldest first). Use for 'what did it log'.",
    title="Search logs",
    needs="logs:read",
)
async def search_logs(
    call: Call,
    *,
    text: str | None = None,
    run: str | None = None,
    task: str | None = None,
    level: Annotated[Literal["debug", "info", "warn", "error"] | None, "and above"] = None,
    period: Annotated[str | None, "e.g. 1h"] = None,
    order: Literal["newest", "oldest"] | None = None,
    limit: Annotated[int, "1-200, default 50"] = 50,
    cursor: str | None = None,
) -> dict[str, Any]:
    if not 1 <= limit <= _MOST:
        raise Refusal(f"limit must be 1 to {_MOST}, got {limit}", code="invalid_arguments")
    run = None if run is None else asked_run(run)
    order = order or ("oldest" if run is not None else "newest")
    asked = row(text=text, run=run, task=task, level=level, period=period)
    found = await call.ask("logs.search", **asked, order=order, limit=limit, cursor=cursor)
    groups = []
    for (run_id, task_id), of_run in groupby(found["items"], key=lambda line: (line["run_id"], line["task"])):
        lines = list(of_run)
        # The day is said once, by the first line of each run.
        groups.append({"run": run_id, "task": task_id, "day": lines[0]["at"][:10], "lines": [*map(log_line, lines)]})
    told: dict[str, Any] = {"environment": call.where.environment, "logs": groups}
    if found["next_cursor"] is not None:
        why = "" if found["items"] else "nothing so far; "
        more = next_call(call, "search_logs", **asked, order=order, limit=limit, cursor=found["next_cursor"])
        told["next"] = f"{why}{more} goes on"
    elif not groups:
        told["next"] = "no line fits; widen the filters" + (
            "" if run is None else f", or see whether it ran: {next_call(call, 'get_run_details', run=run)}"
        )
    return mark_present(told, "logs")
