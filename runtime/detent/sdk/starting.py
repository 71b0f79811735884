"""Starting runs: inside a run by its worker's engine connection, else by the transport of this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from ..errors import InvalidOptions, LimitExceeded, NotInRun
from ..model import json_text
from ..model.ids import new_id
from ..model.limits import BATCH_ITEMS, IDEMPOTENCY_KEY_CHARS
from ..model.options import IdempotencyKey, new_run, within
from ..model.protocol import Handle, NewRun, RunResult
from ..model.status import Status
from ..model.task_error import TaskError
from .current import ActiveRun, active_run, current_run
from .registry import registry
from .result import BatchHandle, BatchResult, Result, RunHandle

if TYPE_CHECKING:
    from .task import Task

__all__ = [
    "OMITTED",
    "BatchItem",
    "items_of",
    "start",
    "start_and_wait",
    "start_and_wait_sync",
    "start_batch",
    "start_batch_and_wait",
    "start_batch_and_wait_sync",
    "start_batch_sync",
    "start_sync",
]

#: Stands for a payload that was left out: the default of the task's parameter.
OMITTED: Any = object()

_decode_error = msgspec.json.Decoder(TaskError).decode


@dataclass(frozen=True, slots=True)
class BatchItem:
    """One run of a batch: made by ``task.item(payload, **options)`` or ``tasks.item("id", payload, **options)``."""

    task: Task[Any, Any] | str
    payload: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def task_id(self) -> str:
        return self.task if isinstance(self.task, str) else self.task.id

    def to_run(self, shared: Mapping[str, Any]) -> NewRun:
        """The checked run. Errors: `InvalidPayload`, `InvalidOptions`, `LimitExceeded`."""
        run = current_run.get()
        if not isinstance(self.options, Mapping):
            raise InvalidOptions(f"the options of an item are a mapping, got {self.options!r}")
        options = {**shared, **self.options}
        task = registry.find(self.task) if isinstance(self.task, str) else self.task
        now = time.time_ns() // 1_000_000
        scope = run.idempotency_scope if run is not None else None
        if task is None:
            payload = json_text.encode(None if self.payload is OMITTED else self.payload, "payload")
            return new_run(self.task_id, payload, options, now=now, scope=scope)
        # By id None means "left out", as it does where the task is not at hand.
        omitted = self.payload is OMITTED or (self.payload is None and isinstance(self.task, str))
        payload = task.omitted_payload() if omitted else task.payload_schema.dump(self.payload)
        return new_run(task.id, payload, options, now=now, known=True, queue=task.queue.spec, scope=scope)


def items_of(items: Sequence[Any], task: Task[Any, Any] | None = None) -> list[BatchItem]:
    """The items of a batch: payloads of `task`, `BatchItem`s, or mappings with ``id``, ``payload`` and ``options``."""
    if isinstance(items, str | bytes | Mapping):
        raise InvalidOptions(f"a batch takes a list of items, got {type(items).__name__}")
    made: list[BatchItem] = []
    for place, item in enumerate(items):
        if isinstance(item, BatchItem):
            made.append(item)
        elif task is not None:
            made.append(BatchItem(task, item))
        elif isinstance(item, Mapping) and "id" in item and item.keys() <= {"id", "payload", "options"}:
            made.append(BatchItem(item["id"], item.get("payload"), item.get("options") or {}))
        else:
            raise InvalidOptions(
                f"item {place} of the batch names no task: use task.item(payload), tasks.item('id', payload) "
                "or {'id': ..., 'payload': ..., 'options': {...}}"
            )
    if len(made) > BATCH_ITEMS:
        raise LimitExceeded(f"a batch has at most {BATCH_ITEMS:,} items, got {len(made):,}; send several batches")
    return made


def _here() -> ActiveRun | None:
    """The run whose children are to be started, unless `using` names another target."""
    from ..connection import is_overridden

    return None if is_overridden() else current_run.get()


async def start(item: BatchItem) -> RunHandle:
    """Start one run."""
    made = item.to_run({})
    run = _here()
    if run is not None:
        return _handle(item, (await run.trigger([made], wait=False))[0][0])
    from ..connection import default_transport

    return _handle(item, (await default_transport().trigger_async([made]))[0])


def start_sync(item: BatchItem) -> RunHandle:
    """Start one run, blocking."""
    made = item.to_run({})
    run = _here()
    if run is not None:
        return _handle(item, run.trigger_sync([made], wait=False)[0][0])
    from ..connection import default_transport

    return _handle(item, default_transport().trigger([made])[0])


async def start_batch(items: list[BatchItem], shared: Mapping[str, Any]) -> BatchHandle:
    """Start the runs of a batch, all or none."""
    batch_id, made = _batch(items, shared)
    run = _here()
    if not made:
        return BatchHandle(batch_id, ())
    if run is not None:
        handles = (await run.trigger(made, wait=False, batch_id=batch_id))[0]
        batch_id = made[0].batch_id or batch_id
    else:
        from ..connection import default_transport

        handles = await default_transport().trigger_async(made, batch_id)
    return BatchHandle(batch_id, tuple(map(_handle, items, handles)))


def start_batch_sync(items: list[BatchItem], shared: Mapping[str, Any]) -> BatchHandle:
    """Start the runs of a batch, all or none, blocking."""
    batch_id, made = _batch(items, shared)
    run = _here()
    if not made:
        return BatchHandle(batch_id, ())
    if run is not None:
        handles = run.trigger_sync(made, wait=False, batch_id=batch_id)[0]
        batch_id = made[0].batch_id or batch_id
    else:
        from ..connection import default_transport

        handles = default_transport().trigger(made, batch_id)
    return BatchHandle(batch_id, tuple(map(_handle, items, handles)))


async def start_and_wait(item: BatchItem) -> Result[Any]:
    """Start one run and wait for its end."""
    run = active_run("trigger_and_wait()")
    _, results = await run.trigger([item.to_run({})], wait=True)
    return _result(item, results[0])


def start_and_wait_sync(item: BatchItem) -> Result[Any]:
    """Start one run and wait for its end, blocking this thread."""
    run = _blocking_run("trigger_and_wait()")
    _, results = run.trigger_sync([item.to_run({})], wait=True)
    return _result(item, results[0])


async def start_batch_and_wait(items: list[BatchItem], shared: Mapping[str, Any]) -> BatchResult[Any]:
    """Start the runs of a batch and wait for the end of all."""
    run = active_run("batch_trigger_and_wait()")
    batch_id, made = _batch(items, shared)
    if not made:
        return BatchResult(batch_id, ())
    _, results = await run.trigger(made, wait=True, batch_id=batch_id)
    return BatchResult(made[0].batch_id or batch_id, tuple(map(_result, items, results)))


def start_batch_and_wait_sync(items: list[BatchItem], shared: Mapping[str, Any]) -> BatchResult[Any]:
    """Start the runs of a batch and wait for the end of all, blocking this thread."""
    run = _blocking_run("batch_trigger_and_wait()")
    batch_id, made = _batch(items, shared)
    if not made:
        return BatchResult(batch_id, ())
    _, results = run.trigger_sync(made, wait=True, batch_id=batch_id)
    return BatchResult(made[0].batch_id or batch_id, tuple(map(_result, items, results)))


def _blocking_run(what: str) -> ActiveRun:
    """The current run, on a thread that may be blocked."""
    run = active_run(f"sync.{what}")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run
    raise NotInRun(f"sync.{what} would block the event loop of this async task; write `await` and leave .sync out")


def _batch(items: list[BatchItem], shared: Mapping[str, Any]) -> tuple[str, list[NewRun]]:
    batch_id = new_id("batch")
    key = shared.get("idempotency_key")
    # A key of the whole batch names each item by its place: the same batch said again finds the same runs.
    shares = [{**shared, "idempotency_key": within(key, place)} for place in range(len(items))] if key else None
    made = [item.to_run(shares[place] if shares else shared) for place, item in enumerate(items)]
    for run in made:
        run.batch_id = batch_id
    return batch_id, made


def _handle(item: BatchItem, handle: Handle) -> RunHandle:
    return RunHandle(handle.id, item.task_id, handle.cached)


def _result(item: BatchItem, ended: RunResult) -> Result[Any]:
    if ended.status != Status.COMPLETED:
        error = _decode_error(ended.error) if ended.error else None
        return Result(ended.id, ended.task, ok=False, status=ended.status, error=error)
    text = ended.output
    task = registry.find(item.task) if isinstance(item.task, str) else item.task
    output = None if text is None else json_text.decode(text) if task is None else task.output_schema.load_output(text)
    return Result(ended.id, ended.task, ok=True, status=ended.status, output=output)


def idempotency_key(key: str | Sequence[str], scope: str = "run") -> IdempotencyKey:
    """See ``idempotency_keys.create``."""
    if scope not in ("run", "attempt", "global"):
        raise InvalidOptions(f"the scope of an idempotency key is run, attempt or global, got {scope!r}")
    parts = [key] if isinstance(key, str) else list(key)
    if not all(isinstance(part, str) for part in parts):
        raise InvalidOptions(f"an idempotency key is a text or several, got {key!r}")
    text = "\0".join(parts)
    if not 1 <= len(text) <= IDEMPOTENCY_KEY_CHARS:
        raise InvalidOptions(
            f"idempotency_key must be a text of 1 to {IDEMPOTENCY_KEY_CHARS} characters, got {len(text)}"
        )
    return IdempotencyKey(text, scope)
