"""Changing runs: stopping them, and running them again."""

from __future__ import annotations

from typing import Annotated, Any

from ..call import Call
from ..next_calls import next_call
from ..refusals import Refusal
from ..repeats import once
from ..results import row
from ..tool import tool

__all__ = ["cancel_run", "replay_run"]


@tool(
    "cancel_run",
    "Stop a run and all runs that it started. Use when the user asks to stop one.",
    title="Cancel run",
    effect="destroys",
    needs="runs:write",
    idempotent=True,
)
async def cancel_run(call: Call, *, run: str, reason: str | None = None) -> dict[str, Any]:
    answer = await call.ask("runs.cancel", id=run, reason=reason)
    status = answer["status"]
    wait = next_call(call, "wait_for_run_to_complete", runs=[run])
    ends = None if status == "CANCELED" else f"it is told to stop: {wait}"
    return row(run=run, status=status, next=ends)


@tool(
    "replay_run",
    "Run a run again as a new run, with the same payload and options or others. Use after the cause of a failure is "
    "mended. at=journal key keeps what was finished before it.",
    title="Replay run",
    effect="writes",
    needs="runs:write",
)
async def replay_run(
    call: Call,
    *,
    run: str,
    payload: Annotated[Any, "another one"] = None,
    options: Annotated[dict[str, Any] | None, "as of trigger_task"] = None,
    at: str | None = None,
) -> dict[str, Any]:
    if at is not None and (payload is not None or options is not None):
        raise Refusal(
            "at keeps payload and options of the run, so payload and options cannot be given with it",
            next="leave out at for a run from the beginning",
            code="invalid_arguments",
        )
    with once(call, "run", run, payload, options, at) as made:
        if at is not None:
            answer = await call.ask("runs.fork", id=run, at=at, new_id=made.id)
        else:
            answer = await call.ask("runs.replay", id=run, payload=payload, options=options, new_id=made.id)
    new = answer["id"]
    return row(run=new, replay_of=run, at=at, next=next_call(call, "wait_for_run_to_complete", runs=[new]))
