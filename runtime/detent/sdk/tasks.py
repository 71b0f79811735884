"""`tasks` and `batch`: triggering by id, several tasks at once, and hooks for every task."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Unpack

from ..model.options import IdempotencyKey, TriggerOptions
from . import starting
from .call import Call, Waiting
from .hooks import F
from .registry import registry
from .result import BatchHandle, BatchResult, Result, RunHandle
from .starting import BatchItem

if TYPE_CHECKING:
    from ..model.views import TaskView

__all__ = ["Batch", "IdempotencyKeys", "SyncBatch", "SyncTasks", "Tasks", "batch", "idempotency_keys", "tasks"]


class SyncTasks:
    """The blocking twins of `Tasks`."""

    def item(self, id: str, payload: Any = None, **options: Unpack[TriggerOptions]) -> BatchItem:
        """One run of a batch."""
        return BatchItem(id, payload, options)

    def trigger(self, id: str, payload: Any = None, **options: Unpack[TriggerOptions]) -> RunHandle:
        """See `Tasks.trigger`."""
        return starting.start_sync(BatchItem(id, payload, options))

    def trigger_and_wait(self, id: str, payload: Any = None, **options: Unpack[TriggerOptions]) -> Result[Any]:
        """See `Tasks.trigger_and_wait`."""
        return starting.start_and_wait_sync(BatchItem(id, payload, options))

    def batch_trigger(self, id: str, items: Sequence[Any], **options: Unpack[TriggerOptions]) -> BatchHandle:
        """See `Tasks.batch_trigger`."""
        return starting.start_batch_sync(_of(id, items), options)

    def batch_trigger_and_wait(
        self, id: str, items: Sequence[Any], **options: Unpack[TriggerOptions]
    ) -> BatchResult[Any]:
        """See `Tasks.batch_trigger_and_wait`."""
        return starting.start_batch_and_wait_sync(_of(id, items), options)

    def list(self) -> builtins.list[TaskView]:
        """See `Tasks.list`."""
        from ..client import Detent

        return Detent().tasks.list()

    def retrieve(self, id: str) -> TaskView:
        """See `Tasks.retrieve`."""
        from ..client import Detent

        return Detent().tasks.retrieve(id)


class Tasks:
    """Tasks by id, from any process, without importing them: ``await tasks.trigger("summarize", {...})``.

    Used as ``@tasks.on_failure`` and so on, its hooks are for every task of the project.
    """

    sync = SyncTasks()

    def item(self, id: str, payload: Any = None, **options: Unpack[TriggerOptions]) -> BatchItem:
        """One run of a batch."""
        return BatchItem(id, payload, options)

    def trigger(self, id: str, payload: Any = None, **options: Unpack[TriggerOptions]) -> Call[RunHandle]:
        """Start a run of the task `id`.

        Errors: `TaskNotFound` with near names where a worker is connected and does not have the task (else the
        run is ``PENDING_VERSION``), `InvalidPayload`, `InvalidOptions`, `LimitExceeded`, `ServerUnreachable`.
        """
        return Call(f"tasks.trigger({id!r})", lambda: starting.start(BatchItem(id, payload, options)))

    def trigger_and_wait(
        self, id: str, payload: Any = None, **options: Unpack[TriggerOptions]
    ) -> Waiting[Result[Any], Any]:
        """Inside a run: start a run of the task `id` and wait for its end."""
        return Waiting(
            f"tasks.trigger_and_wait({id!r})",
            lambda: starting.start_and_wait(BatchItem(id, payload, options)),
            Result.unwrap,
        )

    def batch_trigger(self, id: str, items: Sequence[Any], **options: Unpack[TriggerOptions]) -> Call[BatchHandle]:
        """Start 0 to 1,000 runs of the task `id`, all or none."""
        return Call(f"tasks.batch_trigger({id!r})", lambda: starting.start_batch(_of(id, items), options))

    def batch_trigger_and_wait(
        self, id: str, items: Sequence[Any], **options: Unpack[TriggerOptions]
    ) -> Waiting[BatchResult[Any], list[Any]]:
        """Inside a run: start 0 to 1,000 runs of the task `id` and wait for all."""
        return Waiting(
            f"tasks.batch_trigger_and_wait({id!r})",
            lambda: starting.start_batch_and_wait(_of(id, items), options),
            BatchResult.unwrap,
        )

    async def list(self) -> builtins.list[TaskView]:
        """The tasks that workers of this project have described; see `detent.client.AsyncDetent.tasks`."""
        from ..client import AsyncDetent

        return await AsyncDetent().tasks.list()

    async def retrieve(self, id: str) -> TaskView:
        """One task with its schemas. Errors: `TaskNotFound` with near names."""
        from ..client import AsyncDetent

        return await AsyncDetent().tasks.retrieve(id)

    def on_start(self, fn: F) -> F:
        """Before each attempt of every task."""
        return registry.hooks.add("on_start", fn)

    def on_success(self, fn: F) -> F:
        """After each run that completed."""
        return registry.hooks.add("on_success", fn)

    def on_failure(self, fn: F) -> F:
        """After each run that ended neither well nor cancelled."""
        return registry.hooks.add("on_failure", fn)

    def on_complete(self, fn: F) -> F:
        """After each run."""
        return registry.hooks.add("on_complete", fn)

    def on_cancel(self, fn: F) -> F:
        """After each run that was cancelled."""
        return registry.hooks.add("on_cancel", fn)

    def on_wait(self, fn: F) -> F:
        """Before each durable wait of every task."""
        return registry.hooks.add("on_wait", fn)

    def on_resume(self, fn: F) -> F:
        """When a run of any task goes on after a durable wait."""
        return registry.hooks.add("on_resume", fn)

    def catch_error(self, fn: F) -> F:
        """When an attempt of any task raised; asked after the task's own."""
        return registry.hooks.add("catch_error", fn)

    def middleware(self, fn: F) -> F:
        """Around each attempt of every task, outside the task's own."""
        return registry.hooks.add("middleware", fn)


class SyncBatch:
    """The blocking twins of `Batch`."""

    def trigger(self, items: Sequence[Any], **options: Unpack[TriggerOptions]) -> BatchHandle:
        """See `Batch.trigger`."""
        return starting.start_batch_sync(starting.items_of(items), options)

    def trigger_and_wait(self, items: Sequence[Any], **options: Unpack[TriggerOptions]) -> BatchResult[Any]:
        """See `Batch.trigger_and_wait`."""
        return starting.start_batch_and_wait_sync(starting.items_of(items), options)


class Batch:
    """Runs of different tasks together: ``await batch.trigger([a.item(1), tasks.item("b", {...})])``."""

    sync = SyncBatch()

    def trigger(self, items: Sequence[Any], **options: Unpack[TriggerOptions]) -> Call[BatchHandle]:
        """Start 0 to 1,000 runs, all or none."""
        return Call("batch.trigger()", lambda: starting.start_batch(starting.items_of(items), options))

    def trigger_and_wait(
        self, items: Sequence[Any], **options: Unpack[TriggerOptions]
    ) -> Waiting[BatchResult[Any], list[Any]]:
        """Inside a run: start 0 to 1,000 runs and wait for all."""
        return Waiting(
            "batch.trigger_and_wait()",
            lambda: starting.start_batch_and_wait(starting.items_of(items), options),
            BatchResult.unwrap,
        )


class IdempotencyKeys:
    """Idempotency keys with a scope."""

    def create(self, key: str | Sequence[str], *, scope: str = "run") -> IdempotencyKey:
        """A key for the option ``idempotency_key``.

        Parameters:
          key: a text, or several that together make the key.
          scope: ``run`` (the default; also of a plain text inside a task), ``attempt`` or ``global``.
        """
        return starting.idempotency_key(key, scope)


def _of(id: str, items: Sequence[Any]) -> list[BatchItem]:
    return [item if isinstance(item, BatchItem) else BatchItem(id, item) for item in items]


tasks = Tasks()
batch = Batch()
idempotency_keys = IdempotencyKeys()
