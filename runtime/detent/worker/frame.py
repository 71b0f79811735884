"""A run that executes in this process: what the SDK sees as the current run, and what the worker steers."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine.notebook import change_metadata
from ..errors import Unserializable, by_code
from ..model.ids import new_id
from ..model.limits import LOG_LINE_CHARS, LOG_LINES_PER_RUN, SPANS_PER_RUN
from ..model.protocol import (
    Answer,
    Emit,
    Failure,
    Grant,
    Handle,
    LogLine,
    MetadataOp,
    NewRun,
    Park,
    Parked,
    RunResult,
    SpanLine,
    Trigger,
    Triggered,
    WaitResult,
)
from ..sdk.context import AttemptInfo, BatchInfo, Context, QueueInfo, RunInfo, TaskInfo
from ..sdk.pause import use_sleeper
from .journal_error import JournalMismatch
from .scope import Scope, current_scope
from .signals import Evicted, LeaseLost

if TYPE_CHECKING:
    from ..sdk.task import Task
    from .worker import Worker

__all__ = ["Frame", "Stop"]

_encode = msgspec.json.Encoder().encode
_current_span: ContextVar[str | None] = ContextVar("detent_span", default=None)


class Stop(msgspec.Struct, frozen=True):
    """Why a run is being stopped: the final status, and a sentence."""

    status: str
    reason: str


class Frame:
    """One run in this process, from its claim to its end or its loss. Implements `sdk.current.ActiveRun`."""

    def __init__(self, worker: Worker, task: Task[Any, Any], grant: Grant) -> None:
        self.worker = worker
        self.task = task
        self.grant = grant
        self.run_id = grant.run_id
        self.epoch = grant.epoch
        self.started_at = worker.now()
        self.started_reported = False
        self.scope = Scope()
        self.ctx = self._context()
        self.stop: Stop | None = None
        self.lost = False
        self.done = False
        self.parked = False
        self._parking = False
        self.main: asyncio.Task[Any] | None = None
        self.thread_id: int | None = None
        self._waits: dict[str, asyncio.Future[list[RunResult]] | Future[list[RunResult]]] = {}
        self._notes = threading.Lock()
        self._logs: list[LogLine] = []
        self._spans: list[SpanLine] = []
        self._metadata_ops: list[MetadataOp] = []
        self._tags: list[str] = []
        self._dropped = 0
        self._counts = [0, 0]
        self._metadata: dict[str, Any] = msgspec.json.decode(grant.metadata) if grant.metadata else {}

    def _context(self) -> Context:
        grant, task = self.grant, self.task
        max_duration_ms = self.worker.max_duration_of(task, grant)
        return Context(
            run=RunInfo(
                id=grant.run_id,
                created_at=_moment(grant.created_at),
                started_at=_moment(grant.first_started_at or self.started_at),
                tags=tuple(grant.tags),
                priority=grant.priority,
                concurrency_key=grant.concurrency_key or None,
                idempotency_key=grant.idempotency_key,
                max_attempts=grant.max_attempts or self.worker.retry_of(task).max_attempts,
                max_duration=None if max_duration_ms is None else max_duration_ms / 1000,
                parent_id=grant.parent_id,
                root_id=grant.root_id,
                version=grant.version,
            ),
            attempt=AttemptInfo(grant.attempt, _moment(self.started_at), grant.crashes),
            task=TaskInfo(task.id, task.file),
            queue=QueueInfo(grant.queue),
            environment=self.worker.env,
            batch=None if grant.batch_id is None else BatchInfo(grant.batch_id),
        )

    # What the SDK asks.

    def idempotency_scope(self, scope: str) -> str:
        return f"{self.run_id}/{self.grant.attempt}" if scope == "attempt" else self.run_id

    async def trigger(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        self._check()
        loop = asyncio.get_running_loop()
        key = self.scope.next_key("trigger")
        waiter: asyncio.Future[list[RunResult]] = loop.create_future()
        if wait:
            self._waits[key] = waiter
        request = Trigger(
            self.run_id, self.epoch, key, await self._offloaded(runs), wait, wait and self.scope.is_alone(), batch_id
        )
        arrived: asyncio.Future[Answer] = loop.create_future()

        def take(answer: Answer) -> None:
            self.worker.loop.post(lambda: None if arrived.done() else arrived.set_result(answer))

        self.worker.link.send([*self.notes(), (request, take)])
        try:
            answer = self._accept(await arrived)
            if answer.parked:
                self.worker.park(self)
            if not wait:
                return answer.handles, []
            if answer.result is not None:
                return answer.handles, answer.result.runs
            return answer.handles, await self._wait(waiter)
        finally:
            self._waits.pop(key, None)
            if not waiter.done():
                waiter.cancel()

    async def _wait(self, waiter: asyncio.Future[list[RunResult]]) -> list[RunResult]:
        task = asyncio.current_task()
        assert task is not None
        self.scope.blocked.add(task)
        try:
            if not self.parked and not waiter.done():
                asyncio.get_running_loop().call_soon(self._park_if_waiting)
            return await waiter
        finally:
            self.scope.blocked.discard(task)

    def _park_if_waiting(self) -> None:
        """Park a run of several branches once none of them can go on."""
        if self._parking or self.parked or self.done or self.lost or not self.scope.is_waiting():
            return
        keys = [key for key, waiter in self._waits.items() if not waiter.done()]
        if len(keys) != len(self._waits) or not keys:
            return

        self._parking = True

        def take(answer: Answer) -> None:
            self.worker.loop.post(lambda: self._after_park(answer))

        self.worker.link.send([*self.notes(), (Park(self.run_id, self.epoch, keys), take)])

    def _after_park(self, answer: Answer) -> None:
        self._parking = False
        if isinstance(answer, Failure):
            self.lose()
            return
        assert isinstance(answer, Parked)
        if answer.parked:
            self.worker.park(self)
        for result in answer.results:
            self.deliver(result)

    def trigger_sync(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        self._check()
        key = self.scope.next_key("trigger")
        waiter: Future[list[RunResult]] = Future()
        if wait:
            self._waits[key] = waiter
        # Only the run's own thread can give the slot back: another one may still be at work beside it.
        park = wait and threading.get_ident() == self.thread_id
        request = Trigger(self.run_id, self.epoch, key, self._offload(runs), wait, park, batch_id)
        arrived: Future[Answer] = Future()
        self.worker.link.send([*self.notes(), (request, arrived.set_result)])
        try:
            answer = self._accept(arrived.result())
            if answer.parked:
                self.worker.park(self)
            if not wait:
                return answer.handles, []
            if answer.result is not None:
                return answer.handles, answer.result.runs
            return answer.handles, waiter.result()
        finally:
            self._waits.pop(key, None)

    def _accept(self, answer: Answer) -> Triggered:
        if isinstance(answer, Failure):
            if answer.code == "lease_lost":
                self.lost = True
                raise LeaseLost(answer.message)
            if answer.code == "journal_mismatch":
                raise JournalMismatch(answer.message)
            raise by_code(answer.code, answer.message)
        assert isinstance(answer, Triggered)
        return answer

    def _check(self) -> None:
        if self.lost:
            raise LeaseLost(f"run {self.run_id} is no longer this worker's")

    async def _offloaded(self, runs: Sequence[NewRun]) -> list[NewRun]:
        if any(self.worker.is_large(run.payload) for run in runs):
            return await asyncio.to_thread(self._offload, runs)
        return list(runs)

    def _offload(self, runs: Sequence[NewRun]) -> list[NewRun]:
        for run in runs:
            if self.worker.is_large(run.payload):
                assert run.payload is not None
                run.payload_ref = self.worker.put_object(f"payloads/{run.id}", run.payload)
                run.payload = None
        return list(runs)

    # What the worker steers.

    def deliver(self, result: WaitResult) -> None:
        """A wait is satisfied. On the loop's thread for async runs."""
        waiter = self._waits.get(result.key)
        if waiter is not None and not waiter.done():
            waiter.set_result(result.runs)

    def resume(self, grant: Grant) -> None:
        """The parked run was claimed again, by this worker."""
        self.epoch = grant.epoch
        self.parked = False
        for result in grant.results:
            self.deliver(result)

    def lose(self, signal: type[LeaseLost | Evicted] = LeaseLost) -> None:
        """The run goes on elsewhere or nowhere: unwind what is here; it can write nothing more."""
        self.lost = True
        for waiter in list(self._waits.values()):
            if not waiter.done():
                waiter.set_exception(signal(f"run {self.run_id} goes on elsewhere"))

    # Notes.

    def log(self, level: str, message: str, attributes: dict[str, Any] | None, source: str) -> None:
        text = None if attributes is None else _attributes(attributes)
        if len(message) > LOG_LINE_CHARS:
            message = f"{message[:LOG_LINE_CHARS]}… (cut, {len(message):,} characters)"
        with self._notes:
            self._counts[0] += 1
            if self._counts[0] > LOG_LINES_PER_RUN:
                self._dropped += 1
                return
            self._logs.append(LogLine(self.worker.now(), level, message, text, _current_span.get(), source))
        self.worker.noted()

    @contextmanager
    def span(self, name: str, kind: str, attributes: dict[str, Any]) -> Iterator[None]:
        span_id = new_id("span")
        start = self.worker.now()
        parent_id = _current_span.get()
        token = _current_span.set(span_id)
        ok = False
        try:
            yield
            ok = True
        finally:
            _current_span.reset(token)
            text = _attributes(attributes) if attributes else None
            with self._notes:
                self._counts[1] += 1
                if self._counts[1] <= SPANS_PER_RUN:
                    self._spans.append(SpanLine(span_id, parent_id, name, kind, start, self.worker.now(), ok, text))
                else:
                    self._dropped += 1
            self.worker.noted()

    def change_metadata(self, target: str, op: str, key: str, value: Any) -> None:
        text = None if op == "delete" else _json(value, f"metadata.{key}" if key else "metadata")
        plain = None if text is None else msgspec.json.decode(text)
        with self._notes:
            if target == "self":
                self._metadata = change_metadata(self._metadata, op, key, plain)
            self._metadata_ops.append(MetadataOp(target, op, key, text))
        self.worker.noted()

    def metadata(self) -> dict[str, Any]:
        return self._metadata

    def add_tags(self, tags: list[str]) -> None:
        with self._notes:
            self._tags += tags
        self.worker.noted()

    def has_notes(self) -> bool:
        return bool(self._logs or self._spans or self._metadata_ops or self._tags or self._dropped)

    def notes(self, *, report_start: bool = False) -> list[tuple[Emit, Any]]:
        """What has been written and not been sent yet, as requests to go before the next verb of this run."""
        if not self.has_notes() and not report_start:
            return []
        with self._notes:
            emit = Emit(
                self.run_id,
                self.epoch,
                self.grant.attempt,
                None if self.started_reported else self.started_at,
                self._logs,
                self._spans,
                self._dropped,
                self._metadata_ops,
                self._tags,
            )
            self._logs, self._spans, self._metadata_ops, self._tags, self._dropped = [], [], [], [], 0
        self.started_reported = True
        return [(emit, self._emitted)]

    def _emitted(self, answer: Answer) -> None:
        if isinstance(answer, Failure) and answer.code == "limit_exceeded":
            self.log("warn", answer.message, None, "detent")

    def bind(self) -> None:
        """Make the calling context one of this run."""
        from ..sdk.current import current_run

        current_run.set(self)
        current_scope.set(self.scope)
        if self.worker.sleeper is not None:
            use_sleeper(self.worker.sleeper)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _attributes(attributes: dict[str, Any]) -> str:
    try:
        return _encode(attributes).decode()
    except (TypeError, ValueError):
        return _encode({name: str(value) for name, value in attributes.items()}).decode()


def _json(value: Any, where: str) -> str:
    from ..sdk import json_text

    try:
        return json_text.encode(value, where)
    except Unserializable:
        raise
    except (TypeError, ValueError) as error:
        raise Unserializable(f"{where} is not JSON: {error}") from None

