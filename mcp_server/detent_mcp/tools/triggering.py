"""Starting runs."""

from __future__ import annotations

import json
from typing import Annotated, Any

from ..call import Call
from ..next_calls import next_call, start_step
from ..repeats import once
from ..results import row
from ..tool import tool

__all__ = ["trigger_task"]


@tool(
    "trigger_task",
    "Start a run of a task and return its id at once. Use when the user asks to run a task; "
    "get_current_worker(task=...) shows its payload. dry_run only checks. Wait only if asked.",
    title="Trigger task",
    effect="writes",
    needs="tasks:write",
    unless=lambda values: bool(values.get("dry_run")),
)
async def trigger_task(
    call: Call,
    *,
    task: str,
    payload: Any = None,
    options: Annotated[
        dict[str, Any] | None,
        "delay, ttl, idempotency_key, concurrency_key, queue, priority, tags, metadata, max_attempts, max_duration, "
        "machine",
    ] = None,
    dry_run: bool = False,
) -> dict[str, Any]:
    from detent.client.triggers import one_run

    payload, read = _payload(payload)
    run = one_run(task, payload, options or {})
    if dry_run:
        return await _check(call, task, payload, options or {})
    if read:
        call.notes.append("payload was JSON text, and was read as JSON")
    with once(call, "run", task, payload, options) as made:
        run.id = made.id
        [handle] = await call.link.transport.trigger_async([run])
    nobody = f"none that is connected runs it, so it begins when one does: {start_step(call)}"
    return row(
        run=handle.id,
        task=task,
        cached=handle.cached or None,
        worker=None if handle.served else nobody,
        next=f"{next_call(call, 'wait_for_run_to_complete', runs=[handle.id])} if its outcome is asked for",
    )


async def _check(call: Call, task: str, payload: Any, options: dict[str, Any]) -> dict[str, Any]:
    found = await call.ask("tasks.check", id=task, payload=payload, options=options)
    where = call.where
    told = row(**found | {"queue": row(**found["queue"])})
    ready = "the same call without dry_run starts it"
    return {"dry_run": True, "project": where.project, "environment": where.environment, **told, "next": ready}


def _payload(given: Any) -> tuple[Any, bool]:
    """The payload, and whether it was text of JSON: models write objects as text now and then."""
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(given), True
        except ValueError:
            return given, False
    return given, False
