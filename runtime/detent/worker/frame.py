"""A run that executes in this process: what the SDK sees as the current run, and what the worker steers."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from functools import partial
from sys import intern
from typing import TYPE_CHECKING, Any

import msgspec

from ..engine.scene import error_text
from ..errors import DetentError, StoreError
from ..model.protocol import (
    Answer,
    Emit,
    Entry,
    Failure,
    Grant,
    Pause,
    Recall,
    Recalled,
    Record,
)
from ..model.task_error import TaskError
from ..sdk.current import current_run, current_step, refuse_in_step
from ..sdk.pause import use_sleeper
from .calls import Calls
from .capture import renew
from .hook_calls import Call as HookCall
from .hook_calls import call_hooks, driven, has_hooks
from .inside import Inside, briefly
from .journal import Journal, Place
from .link import Exchange, ignore
from .notes import Notes
from .plain_text import clean
from .reach import NOWHERE, Reach
from .scope import Scope, enter
from .signals import Evicted, JournalMismatch, LeaseLost, RunSignal
from .turns import Turns
from .waits import Waits

if TYPE_CHECKING:
    from ..sdk.context import Context, WaitInfo
    from ..sdk.task import Task
    from .deadlines import Deadline
    from .worker import Worker

__all__ = ["Frame", "Stop"]

logger = logging.getLogger("detent.worker")


class Stop(msgspec.Struct, frozen=True):
    """Why a run is being stopped: the final status, and a sentence."""

    status: str
    reason: str

    def error(self) -> str:
        """The error of a run that was stopped, as the store keeps it."""
        kind = "RunCanceled" if self.status == "CANCELED" else "MaxDurationExceeded"
        return error_text(TaskError(kind, self.reason, code=self.status.lower()))


class Frame(Inside):
    """One run in this process, from its claim to its end or its loss.

    Thousands of them wait at a time, so each has only what it needs.
    """

    __slots__ = (
        "_begun",
        "_swallowing_told",
        "call",
        "calls",
        "deadline",
        "done",
        "epoch",
        "evicted",
        "evicted_at_wait",
        "grant",
        "holds_slot",
        "journal",
        "lost",
        "main",
        "mismatched",
        "name",
        "parked",
        "parked_at",
        "parked_epoch",
        "payload",
        "reach",
        "run_id",
        "scope",
        "started_at",
        "started_reported",
        "stop",
        "taken_up",
        "task",
        "turns",
        "unwound",
        "waits",
        "worker",
    )

    def __init__(self, worker: Worker, task: Task[Any, Any], grant: Grant) -> None:
        self.worker = worker
        self.task = task
        # The same few texts for thousands of runs.
        grant.task, grant.queue = intern(grant.task), intern(grant.queue)
        self.grant = grant
        self.run_id = grant.run_id
        self.name = grant.name
        self.epoch = grant.epoch
        self.started_at = worker.now()
        self._begun = time.monotonic()
        self.started_reported = False
        self.scope = Scope()
        self.journal = Journal(self.scope)
        #: The order in which a run with branches is told things again, while it is replayed.
        self.turns: Turns | None = None
        #: Why it is to be paused.
        self.mismatched: JournalMismatch | None = None
        self._ctx: Context | None = None
        self.stop: Stop | None = None
        self.lost = False
        self.done = False
        self.parked = False
        #: The epoch under which it was parked last.
        self.parked_epoch = -1
        #: Whether the parked run was claimed again and goes on in a moment.
        self.taken_up = False
        #: Since when, by the monotonic clock, in seconds.
        self.parked_at = 0.0
        #: Whether it counts among the runs that this process executes.
        self.holds_slot = True
        #: Whether its own code has ended after it was told to stop; only hooks may still run.
        self.unwound = False
        #: Whether the engine has given the run away while the answer that parks it was under way.
        self.evicted = False
        self.deadline: Deadline | None = None
        #: Once it is loaded, and how functions of this task are called: for hooks in the middle of the task's code.
        self.payload: Any = None
        self.call: HookCall | None = None
        self.main: asyncio.Task[Any] | None = None
        #: The thread of a plain run.
        self.reach = NOWHERE if task.is_async else Reach()
        self.waits = Waits(worker.loop, is_async=task.is_async)
        self.calls = Calls(self)
        #: Whether it was thrown out of a wait, to be replayed.
        self.evicted_at_wait = False
        self._swallowing_told = False
        #: Calls that were made and not awaited so far, in words.
        self.unawaited: dict[int, str] | None = None
        self._notebook: Notes | None = None

    # What its words to the engine need.

    def begin(self, kind: str, name: str, target: str, *, ordered: bool, waits: str | None = None) -> Place:
        """The place in the journal of what its code does next. `waits`: a call that a step cannot make, in words."""
        self.check()
        step = current_step.get()
        if step is not None:
            if waits is not None:
                refuse_in_step(waits)
            name, ordered = f"{step.key}>{name}", False
        try:
            return self.journal.begin(kind, name, target, ordered=ordered)
        except JournalMismatch as signal:
            self.mismatch(signal)
            raise

    def check(self) -> None:
        """Raises where the run may not go on here."""
        if self.mismatched is not None:
            raise self.mismatched
        if self.lost:
            if not isinstance(sys.exception(), RunSignal):  # in a `finally` it has not been swallowed
                self.tell_of_swallowing()
            raise LeaseLost(f"run {self.run_id} is no longer this worker's")

    def mismatch(self, signal: JournalMismatch) -> None:
        """The code does not fit the journal: unwind what is here, so that the run can be paused."""
        if self.mismatched is None:
            self.mismatched = signal
        self.waits.raise_in_all(lambda: signal)
        if self.turns is not None:
            self.turns.raise_in_all(signal)
        main = self.main
        if main is not None and not main.done() and asyncio.current_task(self.worker.loop.loop) is not main:
            main.cancel()

    async def told(self, place: Place, at_home: bool) -> None:
        """The code is to be told what came of `place`: in its turn, where the journal has one."""
        if not at_home:
            return
        if self.turns is not None:
            await self.turns.take(place)
        if place.entry is None or place.entry.done is None:
            self.journal.delivered(place.key)

    def refused(self, place: Place, error: DetentError) -> None:
        """The engine has refused what was asked at `place`. It refuses it again in the same words when the run is
        executed again: the code may have gone on after it."""
        # A plain `DetentError`, like one of the store, is no refusal but trouble of the engine's own.
        if type(error) is not DetentError and not isinstance(error, StoreError):
            text = error_text(TaskError(type(error).__name__, str(error), code=error.code))
            self.journal.add(place.made(status="error", error=text, done=self.journal.next_order()))

    async def make_sure(self) -> None:
        """Before something is done that may not be undone: what it may depend on, such as ``ctx.uuid()``, is durable
        then; and after a silence, ask whether the run is still ours (C3)."""
        if self.journal.has_unsent or not self.worker.heart.is_sure():
            await self.calls.say(Record(self.run_id, self.epoch))

    def make_sure_sync(self) -> None:
        """`make_sure`, on a thread."""
        if self.journal.has_unsent or not self.worker.heart.is_sure():
            self.calls.say_sync(Record(self.run_id, self.epoch))

    async def before_wait(self, place: Place, info: WaitInfo) -> None:
        """The run is about to wait."""
        if place.entry is None and not self.journal.is_replaying():
            await self.hooks("on_wait", wait=info)

    def before_wait_sync(self, place: Place, info: WaitInfo) -> None:
        """`before_wait`, on the run's own thread."""
        if place.entry is None and self.reach.is_here() and not self.journal.is_replaying():
            driven(self.hooks("on_wait", wait=info))

    async def after_wait(self, info: WaitInfo) -> None:
        """The run goes on after a wait."""
        if not self.journal.is_replaying():
            await self.hooks("on_resume", wait=info)

    def after_wait_sync(self, info: WaitInfo) -> None:
        """`after_wait`, on the run's own thread."""
        if self.reach.is_here() and not self.journal.is_replaying():
            driven(self.hooks("on_resume", wait=info))

    def is_home(self) -> bool:
        """Whether the caller is the code of the run itself, rather than a helper thread or a loop of its own."""
        if not self.task.is_async:
            return self.reach.is_here()
        try:
            return asyncio.get_running_loop() is self.worker.loop.loop
        except RuntimeError:
            return False

    async def recall(self) -> None:
        """Read the journal of a run that is executed again."""
        entries: list[Entry] = []
        after, more = -1, True
        while more:
            request = Recall(self.run_id, self.epoch, after)
            answer = await self.calls.say(request) if self.task.is_async else self.calls.say_sync(request)
            assert isinstance(answer, Recalled)
            entries += answer.entries
            more = answer.more and bool(answer.entries)
            after = entries[-1].seq if entries else -1
        self.journal.load(entries, self.grant.attempt)
        order, left = self.journal.orders(), self.journal.has_left()
        if self.task.is_async and (order or left):
            self.turns = Turns(self, order)

    def pause(self) -> Pause:
        """What is to be told to the engine when the code does not fit the journal."""
        assert self.mismatched is not None
        signal = self.mismatched
        words = (clean(signal.expected), clean(signal.received), clean(str(signal)))
        return Pause(self.run_id, self.epoch, signal.key, *words)

    def unread(self) -> JournalMismatch | None:
        """At the end of the code: what the journal has and the code did not come to."""
        entry = self.journal.unread()
        if entry is None:
            return None
        expected = f"{entry.kind} {entry.target!r}" if entry.target else entry.kind
        return JournalMismatch(entry.key, expected, "the end of the task")

    def tell_of_calls(self) -> None:
        """At the end of the run: calls that were made and never awaited did nothing."""
        calls, self.unawaited = self.unawaited, None
        for what in dict.fromkeys((calls or {}).values()):
            text = f"{what} was never awaited, so it did nothing; write `await` before it"
            self.log("warn", text, None, "detent")

    def tell_of_swallowing(self) -> None:
        """The code goes on, or has come to its end, though it was thrown out of its wait."""
        if self.evicted_at_wait and not self._swallowing_told:
            self._swallowing_told = True
            logger.warning(
                "task %r caught the signal that takes its run %s off this worker and went on; let BaseException pass: "
                "a bare `except:` must raise again",
                self.task.id,
                self.run_id,
            )

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
        if current_step.get() is not None:
            current_step.set(None)
        enter(self.scope)
        if self.worker.sleeper is not None:
            use_sleeper(self.worker.sleeper)

    def age_s(self) -> float:
        """For how long it has been here, in seconds."""
        return time.monotonic() - self._begun

    def resume(self, grant: Grant) -> None:
        """The parked run was claimed again, by this worker."""
        self.epoch = grant.epoch
        self.evicted = False
        self.holds_slot = True
        self.scope.on_end = None
        self.taken_up = False
        # Last: from here on other threads of the run go on, and say their words under the new epoch.
        self.parked = False
        for result in grant.results:
            self.waits.deliver(result)
        self.calls.parking.resumed(grant)

    def lose(self, signal: type[RunSignal] = LeaseLost) -> None:
        """The run goes on elsewhere or nowhere: unwind what is here; it can write nothing more."""
        self.lost = True
        self.evicted_at_wait = signal is Evicted
        waits = len(self.waits) + bool(self.turns)
        self._raise_in_waits(signal)
        self.calls.parking.go_on(signal(f"run {self.run_id} goes on elsewhere"))
        if self.parked or self.done:
            return
        if not self.task.is_async:
            self.interrupt(signal)
        elif not waits:
            self.cancel_main()

    def cancel_main(self) -> None:
        """Cancel the task of an async run; from the loop. A turn later, since a task that is cancelled before its first
        step never makes it, and could tell nobody of its end."""
        if self.main is not None:
            self.worker.loop.loop.call_soon(self.main.cancel)

    def interrupt(self, signal: type[RunSignal]) -> None:
        """Raise `signal` in a plain run: at its next bytecode, and where it waits for other runs."""
        self.reach.interrupt(signal)
        self._raise_in_waits(signal)

    def _raise_in_waits(self, signal: type[RunSignal]) -> None:
        reason = f"run {self.run_id} goes on elsewhere" if self.stop is None else self.stop.reason
        self.waits.raise_in_all(lambda: signal(reason))
        if self.turns is not None:
            self.turns.raise_in_all(signal(reason))

    def wake_threads(self, signal: type[RunSignal]) -> None:
        """Raise `signal` where helper threads of an async run wait for other runs."""
        self.waits.raise_in_threads(lambda: signal(self.run_id))

    def told_to_stop(self, stop: Stop) -> bool:
        """Whether this is the first time."""
        with briefly:
            if self.stop is not None:
                return False
            self.stop = stop
            return True

    # What it wrote.

    def has_notes(self) -> bool:
        return self._notebook is not None and self._notebook.any()

    def settle_streams(self) -> None:
        """The journal is about to get an entry, after which a replay goes on: what streams hold now stands."""
        if self._notebook is not None:
            self._notebook.settle_streams()

    def notes(self) -> list[tuple[Emit, Any]]:
        """What has been written and not been sent yet, as requests to go before the next verb of this run."""
        with self.worker.emitting:  # what the emitter has taken goes first: after the verb it would be refused
            return self.take_notes()

    def words(self) -> list[Exchange]:
        """What is to be said before the next verb of this run: what it wrote, and what its journal has to keep."""
        words: list[Exchange] = [*self.notes()]
        record = self.journal.take(self.run_id, self.epoch)
        if record is not None:
            words.append((record, ignore))
        return words

    def take_notes(self, *, report_start: bool = False) -> list[tuple[Emit, Any]]:
        """What has been written and not been sent yet, as requests."""
        if not self.has_notes() and not report_start:
            return []
        started_at = None if self.started_reported else self.started_at
        if self._notebook is None:
            emit = Emit(self.run_id, self.epoch, self.grant.attempt, started_at)
        else:
            emit = self._notebook.take(self.run_id, self.epoch, self.grant.attempt, started_at, self.grant.epoch)
        self.started_reported = True
        return [(emit, partial(self._emitted, self.epoch))]

    def _emitted(self, epoch: int, answer: Answer) -> None:
        if not isinstance(answer, Failure):
            return
        if answer.code == "limit_exceeded":
            self.log("warn", answer.message, None, "detent")
        elif answer.code == "lease_lost" and epoch == self.epoch and not self.waits and not self.parked:
            # It executes for nothing: the run is another worker's, or has ended. (What was on its way while the engine
            # parked the run is refused, too.)
            self.worker.lose(self)
