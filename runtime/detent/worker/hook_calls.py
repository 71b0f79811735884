"""Calls functions of the user around a run: hooks, whose errors are logged and change nothing.

The same code serves async and plain tasks: a `Call` runs a function and awaits what it gives. For plain tasks nothing
in here ever suspends, so a coroutine of it is driven to its end on the run's own thread (see `driven`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import DiscoveryError, RunFailed
from ..model.task_error import TaskError
from ..sdk.hooks import wanted
from ..sdk.registry import registry
from ..sdk.result import Result
from .error_record import recorded
from .signals import RunSignal

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Call", "call_hooks", "driven", "end_hooks", "has_hooks", "log_fault"]

T = TypeVar("T")

#: Runs a function of the user and gives its result, awaited where it is awaitable.
Call = Callable[..., Awaitable[Any]]

#: These come in the middle of the task's code: what ends the code ends them.
_AMID = frozenset({"on_wait", "on_resume"})


def driven(attempt: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine that never suspends, on this thread."""
    try:
        attempt.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    attempt.close()
    raise DiscoveryError(
        "async middleware of a plain def task awaited something other than next(); "
        "make the middleware plain, or the task async"
    )


def has_hooks(frame: Frame, event: str) -> bool:
    """Whether the task, or all tasks, have hooks for `event`."""
    return bool(frame.task.hooks.of(event) or registry.hooks.of(event))


async def call_hooks(frame: Frame, call: Call, event: str, values: dict[str, Any]) -> None:
    """Run the hooks of `event`: the task's own, then everyone's. Their errors are logged and change nothing.

    Parameters:
      call: how functions of this task are called.
      values: what the hooks may take, by name.
    """
    for hook in (*frame.task.hooks.of(event), *registry.hooks.of(event)):
        try:
            with frame.span(event, "hook", {}):
                await call(hook, **wanted(hook, values))
        except BaseException as fault:
            if event in _AMID and isinstance(fault, asyncio.CancelledError):
                raise
            log_fault(frame, event, fault)


async def end_hooks(
    frame: Frame,
    call: Call,
    status: str,
    record: TaskError,
    *,
    payload: Any,
    error: BaseException | None = None,
    reason: str = "",
) -> None:
    """Run the hooks of an end that is not a good one: ``on_cancel`` or ``on_failure``, then ``on_complete``.

    Parameters:
      record: the error of the run. `error`: what its code raised, where that is known.
      reason: of the cancellation, where the record says something else.
    """
    values = {"payload": payload, "ctx": frame.ctx}
    result: Result[Any] = Result(frame.run_id, frame.task.id, ok=False, status=status, error=record)
    if status == "CANCELED":
        await call_hooks(frame, call, "on_cancel", values | {"reason": reason or record.message})
    else:
        await call_hooks(frame, call, "on_failure", values | {"error": error or _shown(result, record)})
    await call_hooks(frame, call, "on_complete", values | {"result": result})


def _shown(result: Result[Any], record: TaskError) -> BaseException:
    if result.status == "TIMED_OUT":
        return TimeoutError(record.message)
    return RunFailed(record.message, run_id=result.id, status=result.status, error=record)


def log_fault(frame: Frame, event: str, fault: BaseException) -> None:
    """Errors of hooks are logged and change nothing, unless they are a signal for the run itself."""
    if isinstance(fault, RunSignal) or (isinstance(fault, asyncio.CancelledError) and frame.lost):
        raise fault
    record = recorded(fault)
    text = f"the {event} hook raised {record.type}: {record.message}"
    frame.log("error", text, {"traceback": record.traceback}, "detent")
