"""Tasks: Python functions that run in the background, durably."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property, update_wrapper
from pathlib import Path
from typing import Any, Generic, Literal, TypeVar, Unpack, overload

from ..errors import DiscoveryError, InvalidOptions, InvalidPayload, Unserializable
from ..model import json_text
from ..model.duration import Duration, parse_duration
from ..model.limits import MIN_DURATION_MS, NAME_CHARS
from ..model.machine import check_isolation, check_larger, machine_name
from ..model.manifest import ScheduleSpec, TaskSpec
from ..model.options import TriggerOptions
from ..model.retry import RetryPolicy
from . import starting
from .call import Call, Waiting
from .context import Context
from .hooks import EVENTS, F, Hooks
from .queue import Queue
from .registry import registry
from .result import BatchHandle, BatchResult, Result, RunHandle
from .scheduled import ScheduledPayload
from .schema import Schema, defining_locals, payload_annotation, return_annotation
from .starting import BatchItem

__all__ = ["Declare", "SyncTask", "Task", "schema_task", "task"]

P = TypeVar("P")
R = TypeVar("R")

_UNSET: Any = object()


class Task(Generic[P, R]):
    """A task; made by `task`. Calling it calls the function itself, in this process, without the engine."""

    def __init__(
        self,
        fn: Callable[..., Any],
        task_id: str,
        *,
        queue: Queue,
        retry: RetryPolicy | None,
        max_duration_ms: int | None,
        description: str,
        isolation: str = "none",
        machine: str | None = None,
        schema: Any = _UNSET,
        schedule: ScheduleSpec | None = None,
    ) -> None:
        self.fn = fn
        self.id = task_id
        self.queue = queue
        self.retry = retry
        self.max_duration_ms = max_duration_ms
        self.description = description
        self.isolation = isolation
        self.machine = machine
        self.schedule = schedule
        self.is_async = inspect.iscoroutinefunction(fn)
        self.module = fn.__module__
        self.qualname = fn.__qualname__
        code = inspect.unwrap(fn).__code__
        self.file = code.co_filename
        self.line = code.co_firstlineno
        self.hooks = Hooks()
        self.sync: SyncTask[P, R] = SyncTask(self)
        self._locals = defining_locals(fn)
        self._schema = schema
        update_wrapper(self, fn)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.fn(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<task {self.id!r} of {Path(self.file).name}:{self.line}>"

    @cached_property
    def parameters(self) -> Any:
        """How the function is called: see `sdk.signature.Parameters`."""
        return payload_annotation(self.fn, self._locals)

    @cached_property
    def payload_schema(self) -> Schema:
        annotation = self.parameters.annotation if self._schema is _UNSET else self._schema
        if self.schedule is not None and annotation is Any:
            annotation = ScheduledPayload
        return Schema(annotation, f"task {self.id!r}")

    @cached_property
    def output_schema(self) -> Schema:
        return Schema(return_annotation(self.fn, self._locals), f"task {self.id!r}")

    def spec(self) -> TaskSpec:
        """The task as a manifest names it. Errors: `DiscoveryError` for a scheduled one that does not take what its
        schedule gives it."""
        if self.schedule is not None:
            self._check_takes_slots()
        return TaskSpec(
            id=self.id,
            queue=self.queue.name,
            sync=not self.is_async,
            file=self.file,
            line=self.line,
            description=self.description,
            max_attempts=3 if self.retry is None else self.retry.max_attempts,
            max_duration_ms=self.max_duration_ms,
            isolation=self.isolation,
            machine=self.machine,
            retry=None if self.retry is None else self.retry.to_dict(),
            payload_schema=self._payload_json_schema(),
            output_schema=self.output_schema.json_schema(mode="serialization"),
            schedule=self.schedule,
        )

    def _check_takes_slots(self) -> None:
        now = datetime.now(UTC)
        sample = Schema(ScheduledPayload).dump(ScheduledPayload(now, now, "UTC", "sched_0", "", [now]))
        try:
            self.payload_schema.load(sample)
        except InvalidPayload:
            raise DiscoveryError(
                f"task {self.id!r} runs by a schedule, so its payload is a ScheduledPayload, and it takes "
                f"{self.payload_schema.describe()}; annotate it with detent.ScheduledPayload"
            ) from None

    def omitted_payload(self) -> str:
        """The JSON text of a payload that was left out: the parameter's default, else null or ``{}`` where that fits.

        Errors: `InvalidPayload`.
        """
        default = self._default_payload()
        if default is not inspect.Parameter.empty:
            return self.payload_schema.dump(default)
        try:
            return self.payload_schema.dump(None)
        except InvalidPayload as error:
            try:
                return self.payload_schema.dump({})
            except InvalidPayload:
                raise InvalidPayload(f"no payload was given. {error}") from None

    def _default_payload(self) -> Any:
        if not self.parameters.has_payload:
            return inspect.Parameter.empty
        return next(iter(inspect.signature(self.fn).parameters.values())).default

    def _payload_json_schema(self) -> dict[str, Any] | None:
        schema = self.payload_schema.json_schema()
        default = self._default_payload()
        if default is inspect.Parameter.empty:
            return schema
        try:
            text = self.payload_schema.dump(default)
        except (InvalidPayload, Unserializable):
            # As in `n: int = None`: such a task can be run all the same, with a payload.
            return schema
        return {**(schema or {}), "default": json_text.decode(text)}

    # Triggering.

    def item(self, payload: P | Mapping[str, Any] = _UNSET, **options: Unpack[TriggerOptions]) -> BatchItem:
        """One run of a batch, with options of its own."""
        return BatchItem(self, starting.OMITTED if payload is _UNSET else payload, options)

    def trigger(self, payload: P | Mapping[str, Any] = _UNSET, **options: Unpack[TriggerOptions]) -> Call[RunHandle]:
        """Start a run. Durable when it returns.

        Parameters:
          payload: fits the task's annotation, or a mapping with its fields; left out for a task without payload.
          options: see `TriggerOptions`.

        Errors: `InvalidPayload` (which field, what came, what was expected), `InvalidOptions`, `LimitExceeded`,
        `ServerUnreachable`.
        """
        return Call(f"{self.id}.trigger()", lambda: starting.start(self.item(payload, **options)))

    def trigger_and_wait(
        self, payload: P | Mapping[str, Any] = _UNSET, **options: Unpack[TriggerOptions]
    ) -> Waiting[Result[R], R]:
        """Inside a run: start a run and wait for its end; the waiting run gives its slot back meanwhile.

        Returns something to await: it gives a `Result`, its ``.unwrap()`` gives the output.
        Errors: as `trigger`, and `NotInRun`.
        """
        return Waiting(
            f"{self.id}.trigger_and_wait()",
            lambda: starting.start_and_wait(self.item(payload, **options)),
            Result.unwrap,
        )

    def batch_trigger(
        self, items: Sequence[P | Mapping[str, Any] | BatchItem], **options: Unpack[TriggerOptions]
    ) -> Call[BatchHandle]:
        """Start 0 to 1,000 runs, all or none. `items`: payloads, or ``task.item(payload, **options)``."""
        return Call(f"{self.id}.batch_trigger()", lambda: starting.start_batch(starting.items_of(items, self), options))

    def batch_trigger_and_wait(
        self, items: Sequence[P | Mapping[str, Any] | BatchItem], **options: Unpack[TriggerOptions]
    ) -> Waiting[BatchResult[R], list[R]]:
        """Inside a run: start 0 to 1,000 runs and wait for all. The results are in the order of `items`."""
        return Waiting(
            f"{self.id}.batch_trigger_and_wait()",
            lambda: starting.start_batch_and_wait(starting.items_of(items, self), options),
            BatchResult.unwrap,
        )

    # Hooks, as decorators: ``@my_task.on_failure``.

    def on_start(self, fn: F) -> F:
        """Before each attempt; takes ``payload, ctx``. An error fails the attempt."""
        return self.hooks.add("on_start", fn)

    def on_success(self, fn: F) -> F:
        """After the run completed; takes ``payload, output, ctx``. Errors are logged, not more."""
        return self.hooks.add("on_success", fn)

    def on_failure(self, fn: F) -> F:
        """After the run ended neither well nor cancelled: the last attempt failed, it timed out, crashed or expired;
        takes ``payload, error, ctx``."""
        return self.hooks.add("on_failure", fn)

    def on_complete(self, fn: F) -> F:
        """After the run ended, well or not; takes ``payload, result, ctx``."""
        return self.hooks.add("on_complete", fn)

    def on_cancel(self, fn: F) -> F:
        """After the run was cancelled, before ``on_complete``; takes ``payload, reason, ctx``."""
        return self.hooks.add("on_cancel", fn)

    def on_wait(self, fn: F) -> F:
        """Before the run waits durably; takes ``payload, wait, ctx``, `wait` being a `WaitInfo`. Errors are logged."""
        return self.hooks.add("on_wait", fn)

    def on_resume(self, fn: F) -> F:
        """When the run goes on after such a wait; takes ``payload, wait, ctx``. Errors are logged."""
        return self.hooks.add("on_resume", fn)

    def catch_error(self, fn: F) -> F:
        """When an attempt raised; takes ``payload, error, ctx``. May return a mapping with ``skip_retrying=True``,
        ``retry_at=<datetime>``, ``retry_delay=<duration>`` or ``error=<another exception>``."""
        return self.hooks.add("catch_error", fn)

    def middleware(self, fn: F) -> F:
        """Around each attempt; takes ``payload, ctx, next`` and calls ``next()`` (awaits it in async tasks)."""
        return self.hooks.add("middleware", fn)


class SyncTask(Generic[P, R]):
    """The blocking twins of a task's calls: ``task.sync.trigger(p)``."""

    def __init__(self, task: Task[P, R]) -> None:
        self._task = task

    def trigger(self, payload: P | Mapping[str, Any] = _UNSET, **options: Unpack[TriggerOptions]) -> RunHandle:
        """See `Task.trigger`."""
        return starting.start_sync(self._task.item(payload, **options))

    def trigger_and_wait(self, payload: P | Mapping[str, Any] = _UNSET, **options: Unpack[TriggerOptions]) -> Result[R]:
        """See `Task.trigger_and_wait`; for plain ``def`` tasks."""
        return starting.start_and_wait_sync(self._task.item(payload, **options))

    def batch_trigger(
        self, items: Sequence[P | Mapping[str, Any] | BatchItem], **options: Unpack[TriggerOptions]
    ) -> BatchHandle:
        """See `Task.batch_trigger`."""
        return starting.start_batch_sync(starting.items_of(items, self._task), options)

    def batch_trigger_and_wait(
        self, items: Sequence[P | Mapping[str, Any] | BatchItem], **options: Unpack[TriggerOptions]
    ) -> BatchResult[R]:
        """See `Task.batch_trigger_and_wait`."""
        return starting.start_batch_and_wait_sync(starting.items_of(items, self._task), options)


_Fn0 = Callable[[], Awaitable[R]] | Callable[[], R]


class Declare:
    """What ``@task(...)`` gives: turns the function below it into a `Task`."""

    def __init__(self, **settings: Any) -> None:
        self.settings = settings

    @overload
    def __call__(self, fn: Callable[[P, Context], Awaitable[R]]) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[[P], Awaitable[R]]) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[[], Awaitable[R]]) -> Task[None, R]: ...
    @overload
    def __call__(self, fn: Callable[[P, Context], R]) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[[P], R]) -> Task[P, R]: ...
    @overload
    def __call__(self, fn: Callable[[], R]) -> Task[None, R]: ...
    def __call__(self, fn: Callable[..., Any]) -> Task[Any, Any]:
        return _declare(fn, **self.settings)


def task(
    id: str | None = None,
    *,
    queue: Queue | str | None = None,
    retry: RetryPolicy | None = None,
    max_duration: Duration | None = None,
    description: str | None = None,
    isolation: Literal["none", "process"] = "none",
    machine: str | None = None,
    on_start: Callable[..., Any] | None = None,
    on_success: Callable[..., Any] | None = None,
    on_failure: Callable[..., Any] | None = None,
    on_complete: Callable[..., Any] | None = None,
    on_cancel: Callable[..., Any] | None = None,
    on_wait: Callable[..., Any] | None = None,
    on_resume: Callable[..., Any] | None = None,
    catch_error: Callable[..., Any] | None = None,
    middleware: Callable[..., Any] | None = None,
) -> Declare:
    """Declare a task: ``@task(id="summarize")`` above an ``async def`` or a plain ``def``.

    Parameters:
      id: unique in the project, at most 128 characters; the function's name when left out.
      queue: a `queue`, or the name of one; else the task has its own, without limit.
      retry: attempts and pauses; by default 3 attempts, 1 s to 60 s, factor 2, with jitter.
      max_duration: executing time of an attempt, waits left out; seconds or text such as ``"2m"``.
      description: what it does, for people and assistants; the docstring when left out.
      isolation: ``"process"`` executes each attempt in a process of its own, which can be stopped and limited
        whatever its code does; see docs/isolation.md.
      machine: the preset that limits CPU and memory of an isolated run, ``"micro"`` to ``"large-2x"``, or a label.
      on_start, on_success, on_failure, on_complete, on_cancel, on_wait, on_resume, catch_error, middleware: hooks, see
        `Task`.

    The function takes nothing, ``(payload)``, ``(payload, ctx)`` or ``(ctx)``; the payload's annotation is its schema.
    Errors: `DiscoveryError`, `InvalidOptions`.
    """
    if callable(id):
        raise DiscoveryError("write @task() with parentheses, for example @task(id='summarize')")
    hooks = {
        name: hook
        for name, hook in (
            ("on_start", on_start),
            ("on_success", on_success),
            ("on_failure", on_failure),
            ("on_complete", on_complete),
            ("on_cancel", on_cancel),
            ("on_wait", on_wait),
            ("on_resume", on_resume),
            ("catch_error", catch_error),
            ("middleware", middleware),
        )
        if hook is not None
    }
    return Declare(
        task_id=id,
        queue=queue,
        retry=retry,
        max_duration=max_duration,
        description=description,
        isolation=isolation,
        machine=machine,
        hooks=hooks,
    )


def schema_task(*, schema: Any, id: str | None = None, **settings: Any) -> Declare:
    """Like `task`, with the payload's schema said explicitly: any Pydantic-friendly type."""
    declared = task(id, **settings)
    declared.settings["schema"] = schema
    return declared


def _declare(
    fn: Callable[..., Any],
    *,
    task_id: str | None,
    queue: Queue | str | None,
    retry: RetryPolicy | None,
    max_duration: Duration | None,
    description: str | None,
    isolation: str,
    machine: str | None,
    hooks: dict[str, Callable[..., Any]],
    schema: Any = _UNSET,
    schedule: ScheduleSpec | None = None,
) -> Task[Any, Any]:
    if not inspect.isfunction(inspect.unwrap(fn)):
        raise DiscoveryError(f"a task is made from a function, got {fn!r}")
    if inspect.isasyncgenfunction(fn) or inspect.isgeneratorfunction(fn):
        raise DiscoveryError(f"task {fn.__qualname__!r} yields; a task returns its output")
    name = task_id or fn.__name__
    if len(name) > NAME_CHARS:
        raise InvalidOptions(f"the id of a task has at most {NAME_CHARS} characters, got {len(name)}: {name[:40]!r}…")
    if retry is not None and not isinstance(retry, RetryPolicy):
        raise InvalidOptions(
            f"retry of task {name!r} must be a Retry, for example Retry(max_attempts=5), got {retry!r}"
        )
    duration_ms = None if max_duration is None else parse_duration(max_duration, "max_duration")
    if duration_ms is not None and duration_ms < MIN_DURATION_MS:
        raise InvalidOptions(f"max_duration of task {name!r} must be at least {MIN_DURATION_MS / 1000:g} s")
    if machine is not None:
        machine_name(machine, f"machine of task {name!r}")
    check_larger(machine, None if retry is None else retry.out_of_memory, name)
    made: Task[Any, Any] = Task(
        fn,
        name,
        queue=_queue_of(name, queue),
        retry=retry,
        max_duration_ms=duration_ms,
        description=description or inspect.getdoc(fn) or "",
        isolation=check_isolation(isolation, name),
        machine=machine,
        schema=schema,
        schedule=schedule,
    )
    for event, hook in hooks.items():
        made.hooks.add(event, hook)
    assert hooks.keys() <= EVENTS.keys()
    _ = made.parameters
    registry.declared.append(made)
    return made


def _queue_of(task_id: str, queue: Queue | str | None) -> Queue:
    from ..model.manifest import QueueSpec

    if isinstance(queue, Queue):
        return queue
    return Queue(QueueSpec(f"task/{task_id}" if queue is None else queue))
