"""A run that executes in this process: what the SDK sees as the current run, and what the worker steers."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import AbstractContextManager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine.scene import error_text
from ..errors import by_code
from ..model.protocol import Answer, Emit, Failure, Grant, Handle, NewRun, RunResult, Trigger, Triggered
from ..model.task_error import TaskError
from ..sdk.current import current_run
from ..sdk.pause import use_sleeper
from .capture import renew
from .hook_calls import Call, call_hooks, driven, has_hooks
from .journal_error import JournalMismatch
from .notes import Notes
from .parking import Parking
from .reach import Reach
from .run_context import run_context
from .scope import Scope, current_scope
from .signals import LeaseLost, RunSignal, Stopped
from .waits import Waits, post_quietly

if TYPE_CHECKING:
    from ..sdk.task import Task
    from .deadlines import Deadline
    from .worker import Worker

__all__ = ["Frame", "Stop"]


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
        self.name = grant.name
        self.epoch = grant.epoch
        self.started_at = worker.now()
        self._begun = time.monotonic()
        self.started_reported = False
        self.scope = Scope()
        self.ctx = run_context(worker, task, grant, self.started_at)
        self.stop: Stop | None = None
        self._telling_stop = threading.Lock()
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
        #: Once it is loaded, and how functions of this task are called: for hooks in the middle of the task's code.
        self.payload: Any = None
        self.call: Call | None = None
        self.main: asyncio.Task[Any] | None = None
        #: The thread of a plain run.
        self.reach = Reach()
        self.waits = Waits(worker.loop, is_async=task.is_async)
        self._parking = Parking(self)
        self._notes = Notes(grant, self.reach, worker.now, worker.noted)

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
            self.waits.open(key, waiter)
        # A plain task may have an event loop of its own; a run parks as long as nothing else happens on it.
        alone = self.scope.is_alone() if at_home else len(asyncio.all_tasks(loop)) == 1
        texts = self.worker.large_texts
        request = Trigger(self.run_id, self.epoch, key, await texts.offloaded(runs), wait, wait and alone, batch_id)
        arrived: asyncio.Future[Answer] = loop.create_future()

        def take(answer: Answer) -> None:
            # Also when nobody waits for the answer any more: a slot that the engine took back is not held here.
            if isinstance(answer, Triggered) and answer.parked:
                self.worker.park(self)
            if not arrived.done():
                arrived.set_result(answer)

        post = self.worker.loop.post if at_home else loop.call_soon_threadsafe
        self.worker.link.send([*self.notes(), (request, lambda answer: post_quietly(post, partial(take, answer)))])
        try:
            try:
                answer = self._accept(await asyncio.shield(arrived))
            except asyncio.CancelledError:
                if wait:
                    # Whether the run was parked is known once the answer is there.
                    while not arrived.done() and not self.worker.loop.stopping:
                        with suppress(asyncio.CancelledError):
                            await asyncio.shield(arrived)
                    await self._parking.leave(key)
                raise
            if not wait:
                return answer.handles, []
            if answer.result is not None:
                results = answer.result.runs
            else:
                results = await self._parking.wait(key, waiter, at_home)
            return answer.handles, await texts.loaded(results)
        finally:
            self.waits.close(key)
            if not waiter.done():
                waiter.cancel()
            elif not waiter.cancelled():
                waiter.exception()  # seen: asyncio need not complain

    def trigger_sync(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        self._check()
        with self.reach.inside():
            key = self.scope.next_key("trigger")
            waiter: Future[list[RunResult]] = Future()
            if wait:
                self.waits.open(key, waiter)
            # Only the run's own thread can give the slot back: another one may still be at work beside it.
            park = wait and self.reach.is_here()
            texts = self.worker.large_texts
            request = Trigger(self.run_id, self.epoch, key, texts.offload(runs), wait, park, batch_id)
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
                return answer.handles, texts.load(results)
            finally:
                self.waits.close(key)

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

    def log(self, level: str, message: str, attributes: dict[str, Any] | None, source: str) -> None:
        self._notes.log(level, message, attributes, source)

    def span(self, name: str, kind: str, attributes: dict[str, Any]) -> AbstractContextManager[None]:
        return self._notes.span(name, kind, attributes)

    def change_metadata(self, target: str, op: str, key: str, value: Any) -> None:
        self._notes.change_metadata(target, op, key, value)

    def metadata(self) -> dict[str, Any]:
        return self._notes.metadata()

    def add_tags(self, tags: list[str]) -> None:
        self._notes.add_tags(tags)

    async def hooks(self, event: str, **values: Any) -> None:
        """Run the hooks of an event in the middle of the task's code, which may take `values` besides payload and
        context: ``await frame.hooks("on_wait", wait=info)``."""
        if self.call is not None and has_hooks(self, event):
            await call_hooks(self, self.call, event, {"payload": self.payload, "ctx": self.ctx, **values})

    def hooks_sync(self, event: str, **values: Any) -> None:
        """`hooks`, on the thread of a plain run."""
        driven(self.hooks(event, **values))

    # What the worker steers.

    def bind(self) -> None:
        """Make the calling context one of this run."""
        renew()
        current_run.set(self)
        current_scope.set(self.scope)
        if self.worker.sleeper is not None:
            use_sleeper(self.worker.sleeper)

    def age_s(self) -> float:
        """For how long it has been here, in seconds."""
        return time.monotonic() - self._begun

    def resume(self, grant: Grant) -> None:
        """The parked run was claimed again, by this worker."""
        self.epoch = grant.epoch
        self.parked = False
        self.evicted = False
        self.holds_slot = True
        self.scope.on_end = None
        for result in grant.results:
            self.waits.deliver(result)
        self._parking.go_on()

    def lose(self, signal: type[RunSignal] = LeaseLost) -> None:
        """The run goes on elsewhere or nowhere: unwind what is here; it can write nothing more."""
        self.lost = True
        waits = len(self.waits)
        self._raise_in_waits(signal)
        self._parking.go_on(signal(f"run {self.run_id} goes on elsewhere"))
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
        self.waits.raise_in_all(signal, reason)

    def wake_threads(self, signal: type[RunSignal]) -> None:
        """Raise `signal` where helper threads of an async run wait for other runs."""
        self.waits.raise_in_threads(signal, self.run_id)

    def told_to_stop(self, stop: Stop) -> bool:
        """Whether this is the first time."""
        with self._telling_stop:
            if self.stop is not None:
                return False
            self.stop = stop
            return True

    # What it wrote.

    def has_notes(self) -> bool:
        return self._notes.any()

    def notes(self) -> list[tuple[Emit, Any]]:
        """What has been written and not been sent yet, as requests to go before the next verb of this run."""
        with self.worker.emitting:  # what the emitter has taken goes first: after the verb it would be refused
            return self.take_notes()

    def take_notes(self, *, report_start: bool = False) -> list[tuple[Emit, Any]]:
        """What has been written and not been sent yet, as requests."""
        if not self.has_notes() and not report_start:
            return []
        started_at = None if self.started_reported else self.started_at
        emit = self._notes.take(self.run_id, self.epoch, self.grant.attempt, started_at)
        self.started_reported = True
        return [(emit, partial(self._emitted, self.epoch))]

    def _emitted(self, epoch: int, answer: Answer) -> None:
        if not isinstance(answer, Failure):
            return
        if answer.code == "limit_exceeded":
            self.log("warn", answer.message, None, "detent")
        elif answer.code == "lease_lost" and epoch == self.epoch and not self.waits:
            # It executes for nothing: the run is another worker's, or has ended.
            self.worker.lose(self)
