"""A worker: claims runs from the engine, executes them, reports back (DESIGN.md section 5, "Wiring")."""

from __future__ import annotations

import asyncio
import logging
import os
import random
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any

import psutil

from ..engine.clock import Clock, SystemClock
from ..model.ids import new_id
from ..model.machine import MACHINES
from ..model.manifest import Manifest
from ..model.protocol import (
    Answer,
    CancelPush,
    EvictPush,
    Grant,
    Hello,
    Parked,
    Push,
    Release,
    RingPush,
    SatisfiedPush,
    Watch,
)
from ..model.retry import RetryPolicy
from ..model.this_host import this_host
from ..sdk.pause import Sleeper
from ..sdk.task import Task
from .async_runs import AsyncRuns
from .cells import Cells
from .class_tickets import ClassTickets, ticket_class_of
from .deadlines import Deadlines
from .duty import DutyFrame
from .early import EarlyPushes
from .emitter import Emitter
from .endings import End, Endings
from .evictions import Evictions
from .fork_server import ForkServer
from .frame import Frame, Stop
from .heart import Heart
from .large_texts import LargeTexts
from .link import Exchange, Link, hand_back, ignore
from .loop_thread import LoopThread
from .options import STOP_GRACE_S, WorkerOptions
from .secrets import reveal
from .signals import Evicted, LeaseLost, RunSignal
from .slots import Slots
from .stops import Stops
from .sync_runs import SyncRuns
from .tickets import Tickets

__all__ = ["STOP_GRACE_S", "Worker", "WorkerOptions"]

logger = logging.getLogger("detent.worker")

#: The exit code of a worker that lost its engine.
_ABANDONED = 70
#: How long cells may take beyond the grace of a drain, in seconds: less than the supervisor gives.
_CELLS_S = 1.5
#: How long the code of parked runs may take to unwind at the end of the process, in seconds.
_UNWINDING_S = 1.0


class Worker:
    """Executes the runs of some tasks in this process.

    Parameters:
      link: to the engine.
      tasks, manifest: what it can run.
      put_object, get_object: the object store for large payloads and outputs.
      leave: ends this process with an exit code, when it can no longer be sure that its runs are its own.
      fork_server: makes what runs of isolated tasks get their processes from; without it they execute in this one.
    """

    def __init__(
        self,
        link: Link,
        tasks: Iterable[Task[Any, Any]],
        manifest: Manifest,
        options: WorkerOptions | None = None,
        *,
        put_object: Callable[[str, str], str],
        get_object: Callable[[str], str],
        clock: Clock | None = None,
        worker_id: str | None = None,
        sleeper: Sleeper | None = None,
        leave: Callable[[int], object] = os._exit,
        fork_server: Callable[[], ForkServer] | None = None,
    ) -> None:
        self.link = link
        self.sleeper = sleeper
        self.options = options or WorkerOptions()
        self.large_texts = LargeTexts(put_object, get_object, self.options.env)
        self.random = random.random
        self.loop = LoopThread()
        #: The name of the environment whose runs it executes.
        self.environment = self.options.environment or "dev"
        self.worker_id = worker_id or new_id("worker")
        self._clock: Clock = clock or SystemClock()
        self.now = self._clock.now
        self._tasks = {task.id: task for task in tasks}
        self._manifest = manifest
        self._leave = leave
        self._frames: dict[str, Frame] = {}
        lock = threading.Lock()
        self._idle = threading.Condition(lock)
        self.draining = False
        self._deadlines = Deadlines()
        self.stops = Stops(self, self._deadlines, self.options.stop_grace_s)
        self.endings = Endings(lock, self.stops, self._deadlines, self.send, self.notify_idle)
        #: Held while it is decided whether a parked frame goes on or is dropped.
        self._adopting = threading.Lock()
        self._evictions = Evictions(self.options, self._deadlines, partial(self._evict, tell=True))
        self._early = EarlyPushes(self._frames, lock)
        self.slots = Slots(lock, self.options.threads, self.options.async_limit)
        self.async_runs = AsyncRuns(self)
        self.sync_runs = SyncRuns(self)
        self.tickets = Tickets(self._work, self.options.threads)
        #: What comes from a broker that several processes share.
        self.class_tickets: ClassTickets | None = None
        #: Held while what runs have written is being sent.
        self.emitting = threading.Lock()
        self._emitter = Emitter(self._executing_frames, self.send, self.emitting)
        self.heart = Heart(self)
        self.cells = None if fork_server is None else Cells(self, fork_server)
        #: Called when less is done here than before.
        self.on_idle: Callable[[], None] | None = None
        #: Called when a run that was told to stop has unwound, and its hooks need more time.
        self.on_hooks: Callable[[], None] = _nothing

    # Life.

    def start(self) -> None:
        """Say hello and begin to claim. Errors: `ServerUnreachable`."""
        self.loop.start()
        process = psutil.Process()
        hello = Hello(
            self.worker_id,
            self._manifest if self.options.parent is None else Manifest(),
            process.pid,
            process.create_time(),
            this_host(),
            isolates=self.cells is not None,
            parent=self.options.parent,
            env=self.options.env,
            machines=None if self.options.offers is None else list(self.options.offers),
            queues=None if self.options.queues is None else list(self.options.queues),
        )
        if self.options.broker_url is not None and self.options.parent is None:
            hello.ticket_class = ticket_class_of(hello)
        welcome = self.link.open(hello, self._on_push, self._on_back)
        self.environment = self.options.environment or welcome.env
        self.heart.start(welcome)
        self._emitter.start()
        if self.options.parent is not None:
            return
        if self.cells is not None and any(task.isolation != "none" for task in self._tasks.values()):
            self.cells.start()
        self.tickets.start()
        if self.options.broker_url is not None and welcome.namespace:
            self.class_tickets = ClassTickets(
                self.options.broker_url, welcome.namespace, hello.ticket_class, self._has_room, self._on_ticket
            )
            self.class_tickets.start()
        self.ring(sync=True)

    def drain(self, grace_s: float) -> None:
        """Claim no more, let what executes finish for `grace_s` seconds, hand the rest back unharmed."""
        self.draining = True
        self.send([(Release([]), ignore)])
        if self.cells is not None:
            self.cells.drain(grace_s)
        with self._idle:
            self._idle.wait_for(self._is_idle, grace_s)
            left = [(frame.run_id, frame.epoch) for frame in self._executing_frames()]
            left += self.sync_runs.give_up_grants() + self.async_runs.give_up_grants()
            # Cells that were still busy hand back what they have, which takes them a moment.
            self._idle.wait_for(self._is_without_cells, _CELLS_S)
        # Answered after all that was sent before: then the ends of runs are known, too.
        done: Future[Answer] = Future()
        self.send([(Release(left), done.set_result)])
        self._unwind_parked()
        self._await_release(done, len(left))
        with self._idle:
            late = self.async_runs.give_up_grants()
        if late:
            # Granted before the engine heard of the end, and told here after the grace was over.
            done = Future()
            self.send([(Release(late), done.set_result)])
            self._await_release(done, len(late))

    @staticmethod
    def _await_release(done: Future[Answer], count: int) -> None:
        try:
            done.result(timeout=5)
        except TimeoutError:
            logger.warning("the engine did not confirm the end of this worker and the hand-back of %d runs", count)

    def _unwind_parked(self) -> None:
        """Runs that are parked go on elsewhere; what their code has in ``finally`` gets a moment here."""
        parked = [frame for frame in list(self._frames.values()) if frame.parked and self._evict(frame)]
        tasks = {frame.main for frame in parked if frame.main is not None}
        if tasks and self.loop.thread.is_alive():
            unwound = asyncio.run_coroutine_threadsafe(asyncio.wait(tasks, timeout=_UNWINDING_S), self.loop.loop)
            with suppress(TimeoutError):
                unwound.result(_UNWINDING_S + 1)

    def _is_idle(self) -> bool:
        unreported = any(not frame.parked or frame.taken_up for frame in list(self._frames.values()))
        claimed = not (self.sync_runs.is_idle() and self.async_runs.is_idle())
        return not unreported and not claimed and self._is_without_cells()

    def _is_without_cells(self) -> bool:
        return self.cells is None or self.cells.is_idle()

    def notify_idle(self) -> None:
        """Less is done here than before: a drain may be over."""
        if self.draining:
            with self._idle:
                self._idle.notify_all()
        if self.on_idle is not None:
            self.on_idle()

    def stop(self) -> None:
        """Let go of everything at once. Runs that execute are not told; the engine finds them lost."""
        self.draining = True
        self.heart.stop()
        self._emitter.stop()
        self._deadlines.stop()
        self.tickets.stop()
        if self.class_tickets is not None:
            self.class_tickets.stop()
        if self.cells is not None:
            self.cells.stop()
        self.loop.stop()
        for frame in list(self._frames.values()):
            # Python waits for helper threads before it ends: none may be left where nobody will wake it.
            frame.wake_threads(LeaseLost)
        self.link.close()

    def abandon(self, cause: str) -> None:
        """The engine is lost (self-fencing, C3): nothing that happens here from now on may count."""
        logger.error("%s; this worker ends", cause)
        self.draining = True
        for frame in list(self._frames.values()):
            self.lose(frame)
        self._leave(_ABANDONED)

    # Facts about runs.

    def retry_of(self, task: Task[Any, Any]) -> RetryPolicy:
        return task.retry or self.options.retry

    def max_duration_of(self, task: Task[Any, Any], grant: Grant) -> int | None:
        return grant.max_duration_ms or task.max_duration_ms or self.options.max_duration_ms

    def machine_of(self, task: Task[Any, Any], grant: Grant) -> str | None:
        """The machine that a run asks for: a preset or a label."""
        return grant.machine or task.machine or self.options.machine

    def larger_machine(self, task: Task[Any, Any], grant: Grant) -> str | None:
        """Where a run that ran out of memory is tried again; None when it was there already, or would have no more."""
        larger = (task.retry.out_of_memory if task.retry is not None else None) or self.options.retry.out_of_memory
        if larger is None or larger == grant.machine:
            return None
        before, after = MACHINES.get(self.machine_of(task, grant) or ""), MACHINES.get(larger)
        no_more = before is not None and after is not None and after.memory <= before.memory
        return None if no_more else larger

    def is_async(self, grant: Grant) -> bool:
        """Whether the run executes on the event loop."""
        task = self._tasks.get(grant.task)
        return task is not None and task.is_async

    def frame_of(self, run_id: str) -> Frame | None:
        """The run, if it is here."""
        return self._frames.get(run_id)

    def held(self) -> int:
        """How many runs are here, parked ones included."""
        return len(self._frames)

    def waits_unparked(self) -> bool:
        """Whether a run waits on a helper thread, or on an event loop of its own, and keeps its slot meanwhile."""
        return any(frame.waits.apart() for frame in self._executing_frames())

    def blocking_frame(self) -> Frame | None:
        """The run whose code the event loop executes right now."""
        try:
            task = asyncio.current_task(self.loop.loop)
        except RuntimeError:
            return None
        if task is None:
            return None
        return next((frame for frame in list(self._frames.values()) if task in frame.scope.tasks), None)

    def _executing_frames(self) -> list[Frame]:
        return [frame for frame in list(self._frames.values()) if not frame.parked and not frame.done]

    # What comes from the engine and goes there.

    def send(self, exchanges: list[Exchange]) -> None:
        if exchanges:
            self.link.send(exchanges)

    def noted(self, soon: bool = False) -> None:
        """A run has written something. `soon`: somebody may be looking on."""
        self._emitter.wake(soon)

    def flush_notes(self) -> None:
        """Send what runs have written now."""
        self._emitter.flush()

    def ring(self, *, sync: bool) -> None:
        """There may be work. The ticket goes through Dramatiq; where its threads are all busy, async runs that wait
        are claimed without them."""
        if self.draining:
            return
        with self.slots.lock:
            self.sync_runs.rung = self.sync_runs.rung or sync
            self.async_runs.rung = True
            has_room = self.slots.sync_room() > 0
        if has_room:
            self.tickets.send("sync" if sync else "async")
        else:
            self.async_runs.look()

    def _work(self, kind: str) -> None:
        """One ticket: drain the work class to the capacity of this process."""
        self.async_runs.look()
        if kind == "sync":
            self.sync_runs.serve()

    def _has_room(self, sync: bool) -> bool:
        return not self.draining and (self.slots.sync_room() if sync else self.slots.async_room()) > 0

    def _on_ticket(self, sync: bool) -> None:
        if not self.options.drop_tickets:
            self.ring(sync=sync)

    def _on_push(self, push: Push) -> None:
        match push:
            case RingPush():
                self._on_ticket(push.sync > 0)
            case SatisfiedPush():
                frame = self._early.addressee(push)
                if frame is not None:
                    self._on_home_thread(frame, partial(frame.waits.deliver, push.result))
            case CancelPush() if self.cells is not None and self.cells.cancel(push):
                pass
            case CancelPush():
                frame = self._early.addressee(push)
                if frame is not None:
                    self.stops.stop(frame, Stop("CANCELED", push.reason or "the run was cancelled"))
            case EvictPush():
                frame = self._frames.get(push.run_id)
                if frame is not None:
                    frame.evicted = True
                    self._evict(frame)

    def take_early(self, held: Frame | Grant) -> None:
        """The run is here: what was pushed for it before is taken now."""
        for push in self._early.take(held.name):
            if push.epoch >= held.epoch:
                self._on_push(push)

    def _on_back(self) -> None:
        """The engine was away: ask for what it may have said meanwhile."""
        self.watch_again()
        self.ring(sync=True)

    def watch_again(self) -> None:
        """Ask for what runs wait for that execute: what was pushed may be lost."""
        for frame in self._executing_frames():
            for key in frame.waits.unsatisfied():
                take = partial(self._take_watched, frame)
                self.send([(Watch(frame.run_id, frame.epoch, key), take)])

    def _take_watched(self, frame: Frame, answer: Answer) -> None:
        if isinstance(answer, Parked):
            for result in answer.results:
                self._on_home_thread(frame, partial(frame.waits.deliver, result))

    def _on_home_thread(self, frame: Frame, action: Callable[[], None]) -> None:
        if frame.task.is_async:
            self.loop.post(action)
        else:
            action()

    # The runs that are here.

    def adopted(self, grant: Grant) -> Frame | None:
        """The parked frame of a run that comes back to this worker."""
        frame = self._frames.get(grant.name)
        if frame is not None and grant.resumed and frame.epoch + 1 == grant.epoch:
            # It was parked, even if the answer that says so is still under way on another thread.
            self.park(frame, frame.epoch)
        with self._adopting:
            frame = self._frames.get(grant.name)
            if frame is None or not grant.resumed or not frame.parked or frame.lost:
                return None
            frame.taken_up = True
        self._evictions.left(frame)
        return frame

    def execute_apart(self, grant: Grant, on_end: Callable[[], None]) -> bool:
        """Execute a run in a process of its own, where that is due; `on_end` is called when it is not there any
        more."""
        task = self._tasks.get(grant.task)
        if self.cells is None or task is None or grant.duty or not self.cells.wants(task, grant):
            return False
        self._drop_stale(grant)
        self.cells.execute(task, grant, on_end)
        self.take_early(grant)
        return True

    def _drop_stale(self, grant: Grant) -> None:
        stale = self._frames.pop(grant.name, None)
        if stale is not None:
            self.lose(stale)

    def new_frame(self, grant: Grant) -> Frame | None:
        """The frame of a run that begins here; None, and the run is handed back, where its task is not known."""
        self._drop_stale(grant)
        task = self._tasks.get(grant.task)
        if task is None:
            logger.error("run %s of task %r was granted, which this worker does not have", grant.run_id, grant.task)
            self.send([hand_back(grant.run_id, grant.epoch)])
            return None
        frame = DutyFrame(self, task, grant) if grant.duty else Frame(self, task, grant)
        self._frames[grant.name] = frame
        # A run that writes nothing is shown as executing all the same.
        self._emitter.wake()
        return frame

    def park(self, frame: Frame, epoch: int) -> None:
        """The engine has taken back slot and lease that the run had under `epoch`: so does this process, once."""
        with self._adopting:
            if frame.parked_epoch >= epoch:
                return
            frame.parked_epoch = epoch
            frame.parked = True
        self.stops.stop_clock(frame)
        self._runs_like(frame).parked(frame)
        if frame.evicted:
            self._evict(frame)
        else:
            self._evictions.parked(frame)
        self.notify_idle()

    def report_without(self, frame: Frame, finish: End) -> None:
        """A run that does not stop ends without its code, which can write nothing from now on."""
        if not self.endings.end(frame):
            return
        self._runs_like(frame).end(frame, self.endings.last_words(frame, finish))
        frame.lost = True

    def lose(self, frame: Frame, signal: type[RunSignal] = LeaseLost) -> None:
        """The run is not this worker's any more: unwind what is here."""
        frame.lost = True
        self._on_home_thread(frame, partial(frame.lose, signal))

    def forget(self, frame: Frame) -> None:
        """The run is not here any more."""
        if self._frames.get(frame.name) is frame:
            del self._frames[frame.name]
        reveal(frame.name)
        self._evictions.left(frame)
        # A helper thread that still waits would be waiting for ever.
        frame.wake_threads(LeaseLost)

    def _evict(self, frame: Frame, *, tell: bool = False) -> bool:
        """Drop a parked frame, unless it was taken up again meanwhile."""
        with self._adopting:
            if not frame.parked or frame.taken_up or self._frames.get(frame.name) is not frame:
                return False
            self.forget(frame)
        if tell:
            self.send([(Release([], draining=False, evicted=[(frame.run_id, frame.epoch)]), ignore)])
        self._on_home_thread(frame, partial(frame.lose, Evicted))
        return True

    def _runs_like(self, frame: Frame) -> AsyncRuns | SyncRuns:
        return self.async_runs if frame.task.is_async else self.sync_runs


def _nothing() -> None:
    """Nobody asks."""
