"""A run that executes in this process: what the SDK sees as the current run, and what the worker steers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, InvalidStateError
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine.notebook import change_metadata
from ..engine.scene import error_text
from ..errors import InvalidOptions, by_code
from ..model import json_text
from ..model.ids import new_id
from ..model.limits import LOG_LINE_CHARS, LOG_LINES_PER_RUN, SPANS_PER_RUN, TAGS
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
from ..model.task_error import TaskError
from ..sdk.context import AttemptInfo, BatchInfo, Context, QueueInfo, RunInfo, TaskInfo
from ..sdk.pause import use_sleeper
from .capture import renew
from .journal_error import JournalMismatch
from .plain_text import attributes_text, clean
from .reach import Reach
from .scope import Scope, current_scope
from .signals import LeaseLost, RunSignal, Stopped

if TYPE_CHECKING:
    from ..sdk.task import Task
    from .deadlines import Deadline
    from .worker import Worker

__all__ = ["Frame", "Stop"]

#: Characters kept of all the lines of a run together, and after how many seconds a run of several branches is
#: looked at again while it does not wait in all of them.
_LOG_CHARS_PER_RUN = 16 * 1024 * 1024
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.005, 0.5

_current_span: ContextVar[str | None] = ContextVar("detent_span", default=None)


class Stop(msgspec.Struct, frozen=True):
    """Why a run is being stopped: the final status, and a sentence."""

    status: str
    reason: str

    def error(self) -> str:
        """The error of a run that was stopped, as the store keeps it."""
        kind = "RunCanceled" if self.status == "CANCELED" else "MaxDurationExceeded"
        return error_text(TaskError(kind, self.reason, code=self.status.lower()))


class Frame:
    """One run in this process, from its claim to its end or its loss. Implements `sdk.current.ActiveRun`."""

    def __init__(self, worker: Worker, task: Task[Any, Any], grant: Grant) -> None:
        self.worker = worker
        self.task = task
        self.grant = grant
        self.run_id = grant.run_id
        self.epoch = grant.epoch
        self.started_at = worker.now()
        self._begun = time.monotonic()
        self.started_reported = False
        self.scope = Scope()
        self.ctx = self._context()
        self.stop: Stop | None = None
        self.lost = False
        self.done = False
        self.parked = False
        #: Whether it counts among the runs that this process executes.
        self.holds_slot = True
        #: Whether its own code has ended after it was told to stop; only hooks may still run.
        self.unwound = False
        #: Whether the engine has given the run away while the answer that parks it was under way.
        self.evicted = False
        self.deadline: Deadline | None = None
        self._parking = False
        self._look_again: asyncio.TimerHandle | None = None
        self._look_after_s = _FIRST_LOOK_S
        self.main: asyncio.Task[Any] | None = None
        #: The thread of a plain run.
        self.reach = Reach()
        self._waits: dict[str, asyncio.Future[list[RunResult]] | Future[list[RunResult]]] = {}
        self._notes = threading.Lock()
        self._logs: list[LogLine] = []
        self._spans: list[SpanLine] = []
        self._metadata_ops: list[MetadataOp] = []
        self._tags: list[str] = []
        self._all_tags: list[str] = list(grant.tags)
        self._dropped = 0
        self._counts = [0, 0, 0]
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
        at_home = loop is self.worker.loop.loop
        key = self.scope.next_key("trigger")
        waiter: asyncio.Future[list[RunResult]] = loop.create_future()
        if wait:
            self._waits[key] = waiter
        # A plain task may have an event loop of its own; a run parks as long as nothing else happens on it.
        alone = self.scope.is_alone() if at_home else len(asyncio.all_tasks(loop)) == 1
        request = Trigger(self.run_id, self.epoch, key, await self._offloaded(runs), wait, wait and alone, batch_id)
        arrived: asyncio.Future[Answer] = loop.create_future()

        def take(answer: Answer) -> None:
            # Also when nobody waits for the answer any more: a slot that the engine took back is not held here.
            if isinstance(answer, Triggered) and answer.parked:
                self.worker.park(self)
            if not arrived.done():
                arrived.set_result(answer)

        post = self.worker.loop.post if at_home else loop.call_soon_threadsafe
        self.worker.link.send([*self.notes(), (request, lambda answer: _quietly(post, partial(take, answer)))])
        try:
            answer = self._accept(await arrived)
            if not wait:
                return answer.handles, []
            results = answer.result.runs if answer.result is not None else await self._wait(waiter, at_home)
            return answer.handles, await self._loaded(results)
        finally:
            self._waits.pop(key, None)
            if not waiter.done():
                waiter.cancel()
            elif not waiter.cancelled():
                waiter.exception()  # seen: asyncio need not complain

    async def _wait(self, waiter: asyncio.Future[list[RunResult]], at_home: bool) -> list[RunResult]:
        task = asyncio.current_task()
        assert task is not None
        self.scope.blocked.add(task)
        try:
            if at_home and not self.parked and not waiter.done():
                self._look_after_s = _FIRST_LOOK_S
                self.scope.on_end = self._park_if_waiting
                asyncio.get_running_loop().call_soon(self._park_if_waiting)
            return await waiter
        finally:
            self.scope.blocked.discard(task)

    def _park_if_waiting(self) -> None:
        """Park a run of several branches once none of them can go on."""
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        if self._parking or self.parked or self.done or self.lost:
            return
        keys = self.waiting_for()
        if not keys:
            return
        if not self.scope.is_waiting() or len(keys) != len(self._waits):
            # No event tells that a branch went from work to waiting for another one, so it is looked at again.
            self._look_again = self.worker.loop.loop.call_later(self._look_after_s, self._park_if_waiting)
            self._look_after_s = min(_LONGEST_LOOK_S, self._look_after_s * 2)
            return

        self._parking = True

        def take(answer: Answer) -> None:
            self.worker.loop.post(lambda: self._after_park(answer))

        self.worker.link.send([*self.notes(), (Park(self.run_id, self.epoch, keys), take)])

    def _after_park(self, answer: Answer) -> None:
        self._parking = False
        if isinstance(answer, Failure):
            if answer.code == "lease_lost":
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
        with self.reach.inside():
            key = self.scope.next_key("trigger")
            waiter: Future[list[RunResult]] = Future()
            if wait:
                self._waits[key] = waiter
            # Only the run's own thread can give the slot back: another one may still be at work beside it.
            park = wait and self.reach.is_here()
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
                    results = answer.result.runs
                else:
                    if self.stop is not None:
                        raise Stopped(self.stop.reason)
                    results = waiter.result()
                for result in results:
                    self._load(result)
                return answer.handles, results
            finally:
                self._waits.pop(key, None)

    async def _loaded(self, results: list[RunResult]) -> list[RunResult]:
        for result in results:
            if result.output_ref is not None:
                await asyncio.to_thread(self._load, result)
        return results

    def _load(self, result: RunResult) -> None:
        """A large output comes from the object store."""
        if result.output_ref is not None:
            result.output = self.worker.get_object(result.output_ref)
            result.output_ref = None

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
        if waiter is not None:
            self._settle(waiter, lambda: waiter.set_result(result.runs))

    def _settle(self, waiter: asyncio.Future[Any] | Future[Any], act: Callable[[], None]) -> None:
        """Settle a wait where it is waited for; the first word counts."""

        def settle() -> None:
            if not waiter.done():
                act()

        if isinstance(waiter, asyncio.Future) and (
            waiter.get_loop() is not self.worker.loop.loop or not self.task.is_async
        ):
            _quietly(waiter.get_loop().call_soon_threadsafe, settle)
        else:
            with suppress(InvalidStateError):
                settle()

    def waiting_for(self) -> list[str]:
        """The journal keys of its waits that are not satisfied."""
        return [key for key, waiter in list(self._waits.items()) if not waiter.done()]

    def resume(self, grant: Grant) -> None:
        """The parked run was claimed again, by this worker."""
        self.epoch = grant.epoch
        self.parked = False
        self.evicted = False
        self.holds_slot = True
        self.scope.on_end = None
        for result in grant.results:
            self.deliver(result)

    def lose(self, signal: type[RunSignal] = LeaseLost) -> None:
        """The run goes on elsewhere or nowhere: unwind what is here; it can write nothing more."""
        self.lost = True
        waits = list(self._waits.values())
        self._raise_in_waits(signal)
        if self.parked or self.done:
            return
        if not self.task.is_async:
            self.interrupt(signal)
        elif self.main is not None and not waits:
            self.main.cancel()

    def interrupt(self, signal: type[RunSignal]) -> None:
        """Raise `signal` in a plain run: at its next bytecode, and where it waits for other runs."""
        self.reach.interrupt(signal)
        self._raise_in_waits(signal)

    def _raise_in_waits(self, signal: type[RunSignal]) -> None:
        reason = f"run {self.run_id} goes on elsewhere" if self.stop is None else self.stop.reason
        for waiter in list(self._waits.values()):
            self._settle(waiter, partial(waiter.set_exception, signal(reason)))

    def wake_threads(self, signal: type[RunSignal]) -> None:
        """Raise `signal` where helper threads of an async run wait for other runs."""
        for waiter in list(self._waits.values()):
            if isinstance(waiter, Future):
                self._settle(waiter, partial(waiter.set_exception, signal(self.run_id)))

    def told_to_stop(self, stop: Stop) -> bool:
        """Whether this is the first time."""
        with self._notes:
            if self.stop is not None:
                return False
            self.stop = stop
            return True

    # Notes.

    def log(self, level: str, message: str, attributes: dict[str, Any] | None, source: str) -> None:
        text = None if attributes is None else attributes_text(attributes)
        length = len(message)
        if length > LOG_LINE_CHARS:
            message = f"{message[:LOG_LINE_CHARS]}… (cut, {length:,} characters)"
        line = LogLine(self.worker.now(), level, clean(message), text, _current_span.get(), source)
        with self.reach.inside(), self._notes:
            self._counts[0] += 1
            self._counts[2] += len(message) + len(text or "")
            if self._counts[0] > LOG_LINES_PER_RUN or self._counts[2] > _LOG_CHARS_PER_RUN:
                self._dropped += 1
                return
            self._logs.append(line)
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
            text = attributes_text(attributes) if attributes else None
            with self.reach.inside(), self._notes:
                self._counts[1] += 1
                if self._counts[1] <= SPANS_PER_RUN:
                    shown = clean(name[:LOG_LINE_CHARS])
                    self._spans.append(SpanLine(span_id, parent_id, shown, kind, start, self.worker.now(), ok, text))
                else:
                    self._dropped += 1
            self.worker.noted()

    def change_metadata(self, target: str, op: str, key: str, value: Any) -> None:
        text = None if op == "delete" else json_text.encode(value, f"metadata.{key}" if key else "metadata")
        plain = None if text is None else msgspec.json.decode(text)
        with self.reach.inside(), self._notes:
            if target == "self":
                self._metadata = change_metadata(self._metadata, op, key, plain)
            self._metadata_ops.append(MetadataOp(target, op, key, text))
        self.worker.noted()

    def metadata(self) -> dict[str, Any]:
        return self._metadata

    def add_tags(self, tags: list[str]) -> None:
        with self.reach.inside(), self._notes:
            known = dict.fromkeys([*self._all_tags, *tags])
            if len(known) > TAGS:
                raise InvalidOptions(
                    f"a run has at most {TAGS} tags; it has {len(self._all_tags)} already, so {tags!r} do not fit"
                )
            self._tags += list(known)[len(self._all_tags) :]
            self._all_tags = list(known)
        self.worker.noted()

    def age_s(self) -> float:
        """For how long it has been here, in seconds."""
        return time.monotonic() - self._begun

    def has_notes(self) -> bool:
        return bool(self._logs or self._spans or self._metadata_ops or self._tags or self._dropped)

    def notes(self) -> list[tuple[Emit, Any]]:
        """What has been written and not been sent yet, as requests to go before the next verb of this run."""
        with self.worker.emitting:  # what the emitter has taken goes first: after the verb it would be refused
            return self.take_notes()

    def take_notes(self, *, report_start: bool = False) -> list[tuple[Emit, Any]]:
        """What has been written and not been sent yet, as requests."""
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
        return [(emit, partial(self._emitted, self.epoch))]

    def _emitted(self, epoch: int, answer: Answer) -> None:
        if not isinstance(answer, Failure):
            return
        if answer.code == "limit_exceeded":
            self.log("warn", answer.message, None, "detent")
        elif answer.code == "lease_lost" and epoch == self.epoch and not self._waits:
            # It executes for nothing: the run is another worker's, or has ended.
            self.worker.lose(self)

    def bind(self) -> None:
        """Make the calling context one of this run."""
        from ..sdk.current import current_run

        renew()
        current_run.set(self)
        current_scope.set(self.scope)
        if self.worker.sleeper is not None:
            use_sleeper(self.worker.sleeper)


def _moment(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def _quietly(post: Callable[[Callable[[], None]], Any], action: Callable[[], None]) -> None:
    """Post `action` to a loop that may be closed by now, with nobody left to hear it."""
    with suppress(RuntimeError):
        post(action)
