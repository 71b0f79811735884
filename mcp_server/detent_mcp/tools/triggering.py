"""Starting runs."""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Annotated, Any

from ..call import Call
from ..results import encode, row
from ..tool import tool

__all__ = ["trigger_task"]

#: A call that was answered after so many seconds may have been given up by the client before it; so may one that takes
#: longer. The same call is then a repetition for so long.
_SLOW_S, _REPEATED_S = 5.0, 600.0
_MOST_KEPT = 500


@dataclass(slots=True)
class _Before:
    """An earlier call with the same arguments. `delivered`: whether its client has its answer for sure."""

    run_id: str
    began: float
    delivered: bool | None = None


_before: dict[str, _Before] = {}


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
    place = _place(call, task, payload, options)
    before = _repeated(place)
    if before is not None:
        run.id = before.run_id
    kept = _before[place] = _Before(run.id, time.monotonic())
    try:
        [handle] = await call.link.transport.trigger_async([run])
    finally:
        # Without an answer it is not known whether the run was made: the next such call asks for the same run.
        kept.delivered = False
    kept.delivered = time.monotonic() - kept.began < _SLOW_S
    if before is not None:
        call.notes.append(
            "the same call before had no answer in time, so this is the run that it started; for another, call again"
        )
        kept.delivered = True
    return row(
        run=handle.id,
        task=task,
        cached=handle.cached or None,
        next=f"wait_for_run_to_complete(runs=[{handle.id!r}]) if its outcome is asked for",
    )


async def _check(call: Call, task: str, payload: Any, options: dict[str, Any]) -> dict[str, Any]:
    found = await call.ask("tasks.check", id=task, payload=payload, options=options)
    where = call.where
    return {"dry_run": True, "project": where.project, "environment": where.environment, **row(**found)}


def _payload(given: Any) -> tuple[Any, bool]:
    """The payload, and whether it was text of JSON: models write objects as text now and then."""
    if isinstance(given, str) and given.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(given), True
        except ValueError:
            return given, False
    return given, False


def _place(call: Call, task: str, payload: Any, options: dict[str, Any] | None) -> str:
    told = encode([call.who, call.link.url, *call.where, task, payload, options])
    return hashlib.sha256(told.encode()).hexdigest()


def _repeated(place: str) -> _Before | None:
    """The earlier call that this one repeats: one that was given up, or took so long that it may have been."""
    now = time.monotonic()
    for old in [key for key, kept in _before.items() if now - kept.began > _REPEATED_S]:
        del _before[old]
    while len(_before) >= _MOST_KEPT:
        del _before[next(iter(_before))]
    kept = _before.get(place)
    if kept is None or kept.delivered:
        return None
    if kept.delivered is None and now - kept.began < _SLOW_S:
        return None  # two calls at once: two runs are meant
    return kept


def forget() -> None:
    """Forget earlier calls."""
    _before.clear()
