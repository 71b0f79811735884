"""One attempt at a run: payload, hooks, the function itself, and what its end means.

The same code serves async and plain tasks, see `hook_calls`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any

from ..engine.scene import error_text
from ..errors import (
    AbortTaskRunError,
    DiscoveryError,
    InsideStep,
    InvalidOptions,
    InvalidPayload,
    LimitExceeded,
    Unserializable,
)
from ..model.duration import parse_duration, parse_when
from ..model.limits import OUTPUT_BYTES
from ..model.protocol import DutyDone, Finish, Pause
from ..model.task_error import TaskError
from ..sdk.hooks import wanted
from ..sdk.registry import registry
from ..sdk.result import Result
from .error_record import recorded
from .frame import Frame
from .hook_calls import Call, call_hooks, driven, end_hooks, has_hooks, log_fault
from .memory_error import is_out_of_memory, out_of_memory_record
from .plain_text import clean
from .scope import enter_end
from .secrets import conceal
from .signals import RunSignal

__all__ = ["attempt", "broken", "payload_text"]

logger = logging.getLogger("detent.worker")

_DECISIONS = frozenset({"error", "retry_at", "retry_delay", "skip_retrying"})


async def attempt(frame: Frame, call: Call) -> Finish | Pause | None:
    """Execute one attempt. What is to be told to the engine; None when the run is no longer ours."""
    payload: Any = None
    frame.call = call
    try:
        if frame.grant.recall:
            await frame.recall()
        payload = frame.payload = frame.task.payload_schema.load(await payload_text(frame))
        frame.grant.payload = None  # not the text, too, while the run waits
        output = await _through_middleware(frame, call, payload)
        finish = Finish(frame.run_id, frame.epoch, "COMPLETED")
        await _write_output(frame, output, finish)
    except BaseException as error:
        if frame.mismatched is not None and frame.stop is None:
            return frame.pause()
        if frame.lost or (isinstance(error, RunSignal) and frame.stop is None):
            return None
        enter_end()
        finish = Finish(frame.run_id, frame.epoch, "COMPLETED")
        await _failed(frame, call, payload, error, finish)
    else:
        frame.mismatched = frame.mismatched or frame.unread()
        if frame.mismatched is not None and frame.stop is None:
            return frame.pause()
        if frame.lost:
            frame.tell_of_swallowing()
            return None
        enter_end()
        if frame.stop is not None:
            # Told to stop, it went on to its end: the stop stands, since others were told so.
            finish.output = finish.output_ref = None
            await _stopped(frame, call, payload, None, finish)
        else:
            await _completed(frame, call, payload, output)
    frame.tell_of_calls()
    finish.epoch = frame.epoch
    finish.started_at = None if frame.started_reported else frame.started_at
    return None if frame.lost else finish


def broken(frame: Frame, error: BaseException) -> Finish | Pause | DutyDone | None:
    """The end of a run that was stopped while its end was already being prepared, or that met an error of detent."""
    if frame.lost or frame.done:
        return None
    if frame.stop is not None:
        return Finish(frame.run_id, frame.epoch, frame.stop.status, error=frame.stop.error(), unattended=True)
    if frame.mismatched is not None:
        return frame.pause()
    if isinstance(error, RunSignal):
        return None
    logger.error("run %s met an error of detent itself", frame.run_id, exc_info=error)
    if frame.grant.duty:
        return DutyDone(frame.run_id, frame.epoch)
    record = recorded(error, "system_failure")
    return Finish(frame.run_id, frame.epoch, "SYSTEM_FAILURE", error=error_text(record), unattended=True)


async def payload_text(frame: Frame) -> str:
    """The payload of the run as JSON text, from wherever it is kept; what is secret in it is known from here on."""
    if frame.grant.payload_ref is not None and frame.task.is_async:
        text = await asyncio.to_thread(frame.worker.large_texts.payload_of, frame.grant)
    else:
        text = frame.worker.large_texts.payload_of(frame.grant)
    conceal(frame.name, text)
    return text


# Where there are no hooks the coroutine of the task itself is awaited: each one between costs memory while it waits.


def _through_middleware(frame: Frame, call: Call, payload: Any) -> Awaitable[Any]:
    layers = [*registry.hooks.of("middleware"), *frame.task.hooks.of("middleware")]
    return _layered(frame, call, payload, layers) if layers else _start_and_run(frame, call, payload)


async def _layered(frame: Frame, call: Call, payload: Any, layers: list[Callable[..., Any]]) -> Any:
    outcome: list[Any] = []
    errors: list[BaseException] = []

    async def innermost() -> Any:
        outcome.clear()
        try:
            outcome.append(await _start_and_run(frame, call, payload))
        except BaseException as error:
            errors[:] = [error]
            raise
        return outcome[0]

    enter: Callable[[], Awaitable[Any]] = innermost
    for layer in reversed(layers):
        enter = _layer(frame, layer, payload, enter)
    await enter()
    if not outcome and errors:
        raise errors[0]  # a middleware cannot turn a failure into an output
    if not outcome:
        raise AbortTaskRunError("a middleware did not call next(), so the task did not run")
    return outcome[0]


def _layer(
    frame: Frame, layer: Callable[..., Any], payload: Any, inner: Callable[[], Awaitable[Any]]
) -> Callable[[], Awaitable[Any]]:
    plain = not frame.task.is_async and not inspect.iscoroutinefunction(layer)

    def enter_now() -> Any:
        return driven(inner())  # type: ignore[arg-type]  # layers and innermost are coroutine functions

    async def enter() -> Any:
        values = {"payload": payload, "ctx": frame.ctx, "next": enter_now if plain else inner}
        result = layer(**wanted(layer, values))
        return await result if inspect.isawaitable(result) else result

    return enter


def _start_and_run(frame: Frame, call: Call, payload: Any) -> Awaitable[Any]:
    return _started(frame, call, payload) if has_hooks(frame, "on_start") else _run(frame, call, payload)


async def _started(frame: Frame, call: Call, payload: Any) -> Any:
    for hook in (*registry.hooks.of("on_start"), *frame.task.hooks.of("on_start")):
        with frame.span("on_start", "hook", {}):
            await call(hook, **wanted(hook, {"payload": payload, "ctx": frame.ctx}))
    return await _run(frame, call, payload)


def _run(frame: Frame, call: Call, payload: Any) -> Awaitable[Any]:
    parameters = frame.task.parameters
    arguments = ([payload] if parameters.has_payload else []) + ([frame.ctx] if parameters.wants_context else [])
    return call(frame.task.fn, *arguments)


async def _write_output(frame: Frame, output: Any, finish: Finish) -> None:
    text = frame.task.output_schema.dump_output(output)
    if len(text) * 4 > OUTPUT_BYTES and (size := len(text.encode())) > OUTPUT_BYTES:
        raise LimitExceeded(
            f"the output is {size:,} bytes of JSON; the limit is {OUTPUT_BYTES:,} (10 MiB). "
            "Put the data into an object store and return its address"
        )
    if not frame.worker.large_texts.is_large(text):
        finish.output = text
        return
    key = f"outputs/{frame.run_id}"
    if frame.task.is_async:
        finish.output_ref = await asyncio.to_thread(frame.worker.large_texts.put, key, text)
    else:
        finish.output_ref = frame.worker.large_texts.put(key, text)


async def _completed(frame: Frame, call: Call, payload: Any, output: Any) -> None:
    values = {"payload": payload, "output": output, "ctx": frame.ctx}
    await call_hooks(frame, call, "on_success", values)
    values["result"] = Result(frame.run_id, frame.task.id, ok=True, status="COMPLETED", output=output)
    await call_hooks(frame, call, "on_complete", values)


async def _failed(frame: Frame, call: Call, payload: Any, error: BaseException, finish: Finish) -> None:
    if frame.stop is not None:
        await _stopped(frame, call, payload, error, finish)
        return
    finish.output = finish.output_ref = None
    if is_out_of_memory(frame, error):
        record = out_of_memory_record(frame, recorded(error))
        finish.machine = frame.worker.larger_machine(frame.task, frame.grant)
        if finish.machine is not None:
            finish.status, finish.error = "QUEUED", error_text(record)
            return
        finish.status, finish.error = "CRASHED", error_text(record)
        await end_hooks(frame, call, "CRASHED", record, payload=payload, error=error)
        return
    if not _is_permanent(error):
        error, retry_at = await _retry_time(frame, call, payload, error)
        if retry_at is not None:
            finish.status, finish.retry_at = "DELAYED", retry_at
            finish.error = error_text(recorded(error))
            return
    record = recorded(error)
    finish.status, finish.error = "FAILED", error_text(record)
    await end_hooks(frame, call, "FAILED", record, payload=payload, error=error)


async def _stopped(frame: Frame, call: Call, payload: Any, error: BaseException | None, finish: Finish) -> None:
    assert frame.stop is not None
    frame.unwound = True
    main = asyncio.current_task() if frame.task.is_async else None
    if main is not None:
        # The cancellation has done its work; the hooks are not to feel it.
        while main.uncancel():
            pass
    status = frame.stop.status
    kind = "RunCanceled" if status == "CANCELED" else "MaxDurationExceeded"
    trace = "" if error is None else recorded(error).traceback
    record = TaskError(kind, clean(frame.stop.reason), trace, status.lower())
    finish.status, finish.error = status, error_text(record)
    await end_hooks(frame, call, status, record, payload=payload)


async def _retry_time(frame: Frame, call: Call, payload: Any, error: BaseException) -> tuple[BaseException, int | None]:
    """The error that counts, and when the next attempt is due; None for no further attempt."""
    policy = frame.worker.retry_of(frame.task)
    most = frame.grant.max_attempts or policy.max_attempts
    now = frame.worker.now()
    retry_at: int | None = None
    if frame.grant.attempt < most:
        retry_at = now + policy.delay_ms(frame.grant.attempt, frame.worker.random)
    for hook in (*frame.task.hooks.of("catch_error"), *registry.hooks.of("catch_error")):
        values = {"payload": payload, "error": error, "ctx": frame.ctx}
        try:
            with frame.span("catch_error", "hook", {}):
                decision = await call(hook, **wanted(hook, values))
            if decision is None:
                continue
            if not isinstance(decision, Mapping):
                raise TypeError(f"it returned {decision!r}; a mapping or None was expected")
            chosen = _chosen_time(decision, now)
        except BaseException as fault:
            log_fault(frame, "catch_error", fault)
            continue
        if isinstance(decision.get("error"), BaseException):
            error = decision["error"]
        if decision.get("skip_retrying") or _is_permanent(error):
            return error, None
        if retry_at is not None and chosen is not None:
            retry_at = chosen
    return error, retry_at


def _chosen_time(decision: Mapping[str, Any], now: int) -> int | None:
    unknown = sorted(decision.keys() - _DECISIONS)
    if unknown:
        raise InvalidOptions(f"it returned {unknown[0]!r}; known are: {', '.join(sorted(_DECISIONS))}")
    moment, delay = decision.get("retry_at"), decision.get("retry_delay")
    if moment is not None:
        return int(moment.timestamp() * 1000) if isinstance(moment, datetime) else parse_when(moment, now)
    return None if delay is None else now + parse_duration(delay, "retry_delay")


def _is_permanent(error: BaseException) -> bool:
    """Whether another attempt would end the same way; of a group, whether one of its errors is such."""
    if isinstance(error, BaseExceptionGroup):
        return any(map(_is_permanent, error.exceptions))
    return isinstance(
        error, AbortTaskRunError | InvalidPayload | InsideStep | Unserializable | LimitExceeded | DiscoveryError
    )
