"""A worker: claims runs from the engine, executes them, reports back (DESIGN.md section 5, "Wiring")."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import random
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psutil
from dramatiq import Worker as DramatiqWorker
from dramatiq import actor

from ..broker import EmbeddedBroker
from ..engine.clock import Clock, SystemClock
from ..model.ids import new_id
from ..model.limits import INLINE_BYTES
from ..model.manifest import Manifest
from ..model.protocol import (
    Answer,
    CancelPush,
    Claim,
    Claimed,
    EvictPush,
    Failure,
    Finish,
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
from ..sdk.pause import Sleeper
from ..sdk.task import Task
from .attempt import attempt, broken, driven
from .capture import close_run
from .deadlines import Deadlines
from .emitter import Emitter
from .frame import Frame, Stop
from .heart import Heart
from .link import Exchange, Link
from .loop_thread import LoopThread
from .run_threads import RunThreads
from .signals import Evicted, LeaseLost, RunSignal
from .stops import Stops

__all__ = ["STOP_GRACE_S", "Worker", "WorkerOptions"]

logger = logging.getLogger("detent.worker")

QUEUE = "detent"
#: How long a run may take to stop before it is reported stopped without it, in seconds.
STOP_GRACE_S = 5.0
#: The end of a run that the store could not take is told again after so many seconds, so many times.
_TELL_AGAIN_S, _TELLINGS = 1.0, 600
#: Words for runs whose grant is still under way; more than this many are not kept.
_EARLY = 256
#: Failures that pass, as when a disk is full for a while.
_PASSING = ("store_error", "engine_error")
#: The exit code of a worker that lost its engine.
_ABANDONED = 70
#: How often to look for work without a ring, in seconds, give or take a third; it covers every lost ticket.
POLL_S = 1.0


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works.

    `threads`: plain ``def`` runs at once. `async_limit`: async runs at once. `retry` and `max_duration_ms`: for tasks
    that do not say. `poll_s`: see `POLL_S`, None for no polling. `drop_tickets`: lose every ticket (tests).
    `stop_grace_s`: see `STOP_GRACE_S`.
    """

    threads: int = 8
    async_limit: int = 1_000
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_duration_ms: int | None = None
    poll_s: float | None = POLL_S
    drop_tickets: bool = False
    stop_grace_s: float = STOP_GRACE_S

    @classmethod
    def for_tests(cls, *, threads: int, async_limit: int, stop_grace_s: float = STOP_GRACE_S) -> WorkerOptions:
        """Options that need no polling, or, with ``DETENT_TICKETS=drop``, live by it alone."""
        drop = os.environ.get("DETENT_TICKETS") == "drop"
        return cls(
            threads=threads,
            async_limit=async_limit,
            poll_s=0.02 if drop else None,
            drop_tickets=drop,
            stop_grace_s=stop_grace_s,
        )


class Worker:
    """Executes the runs of some tasks in this process.

    Parameters:
      link: to the engine.
      tasks, manifest: what it can run.
      put_object, get_object: the object store for large payloads and outputs.
      leave: ends this process with an exit code, when it can no longer be sure that its runs are its own.
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
    ) -> None:
        self.link = link
        self.sleeper = sleeper
        self.options = options or WorkerOptions()
        self.put_object = put_object
        self.get_object = get_object
        self.random = random.random
        self.loop = LoopThread()
        self.env = "dev"
        self.worker_id = worker_id or new_id("worker")
        self._clock: Clock = clock or SystemClock()
        self.now = self._clock.now
        self._tasks = {task.id: task for task in tasks}
        self._manifest = manifest
        self._frames: dict[str, Frame] = {}
        self._threads = RunThreads()
        self._deadlines = Deadlines()
        self._stops = Stops(self, self._deadlines, self.options.stop_grace_s)
        self._leave = leave
        #: Held while what runs have written is being sent.
        self.emitting = threading.Lock()
        self._early: dict[str, list[SatisfiedPush | CancelPush]] = {}
        self._emitter = Emitter(self._executing_frames, self._send, self.emitting)
        self._heart = Heart(self)
        self._lock = threading.Lock()
        self._async_used = 0
        self._sync_used = 0
        self._claiming_async = False
        self._claim_again = False
        self._maybe_more = True
        self._sync_grants: deque[Grant] = deque()
        self._sync_rung = False
        self._async_rung = False
        self._serving = 0
        self._handoffs: dict[str, Future[list[Exchange]]] = {}
        self._finished: list[tuple[Frame, Finish | None]] = []
        self._flush_scheduled = False
        self._draining = False
        self._idle = threading.Condition(self._lock)
        self._broker = EmbeddedBroker()
        self._ticket = actor(broker=self._broker, actor_name="detent_ticket", queue_name=QUEUE)(self._work)
        self._dramatiq = DramatiqWorker(self._broker, worker_threads=self.options.threads, worker_timeout=5_000)

    # Life.

    def start(self) -> None:
        """Say hello and begin to claim. Errors: `ServerUnreachable`."""
        self.loop.start()
        process = psutil.Process()
        hello = Hello(self.worker_id, self._manifest, process.pid, process.create_time(), socket.gethostname())
        welcome = self.link.open(hello, self._on_push, self._on_back)
        self.env = welcome.env
        self._dramatiq.start()
        self._heart.start(welcome)
        self._emitter.start()
        self.ring(sync=True)

    def drain(self, grace_s: float) -> None:
        """Claim no more, let what executes finish for `grace_s` seconds, hand the rest back unharmed."""
        self._draining = True
        self._send([(Release([]), _ignore)])
        with self._idle:
            self._idle.wait_for(self._is_idle, grace_s)
            left = [(frame.run_id, frame.epoch) for frame in self._executing_frames()]
            left += [(grant.run_id, grant.epoch) for grant in self._sync_grants]
            self._sync_grants.clear()
        # Answered after all that was sent before: then the ends of runs are known, too.
        done: Future[Answer] = Future()
        self._send([(Release(left), done.set_result)])
        try:
            done.result(timeout=5)
        except TimeoutError:
            logger.warning("the engine did not confirm the end of this worker and the hand-back of %d runs", len(left))

    def _is_idle(self) -> bool:
        unreported = any(not frame.parked for frame in list(self._frames.values()))
        return not (unreported or self._serving or self._sync_grants)

    def stop(self) -> None:
        """Let go of everything at once. Runs that execute are not told; the engine finds them lost."""
        self._draining = True
        self._heart.stop()
        self._emitter.stop()
        self._deadlines.stop()
        for thread in self._dramatiq.workers:
            thread.stop()
        for consumer in self._dramatiq.consumers.values():
            consumer.stop()
        for _ in self._dramatiq.workers:
            self._ticket.send("stop")
        self.loop.stop()
        self.link.close()

    # Facts about runs.

    def retry_of(self, task: Task[Any, Any]) -> RetryPolicy:
        return task.retry or self.options.retry

    def max_duration_of(self, task: Task[Any, Any], grant: Grant) -> int | None:
        return grant.max_duration_ms or task.max_duration_ms or self.options.max_duration_ms

    def payload_of(self, frame: Frame) -> str:
        grant = frame.grant
        if grant.payload_ref is not None:
            return self.get_object(grant.payload_ref)
        return "null" if grant.payload is None else grant.payload

    @staticmethod
    def is_large(text: str | None) -> bool:
        return text is not None and len(text) * 4 > INLINE_BYTES and len(text.encode()) > INLINE_BYTES

    def noted(self) -> None:
        """A run has written something."""
        self._emitter.wake()

    def flush_notes(self) -> None:
        """Send what runs have written now."""
        self._emitter.flush()

    def _executing_frames(self) -> list[Frame]:
        return [frame for frame in list(self._frames.values()) if not frame.parked and not frame.done]

    # Pushes.

    def _on_push(self, push: Push) -> None:
        match push:
            case RingPush():
                if not self.options.drop_tickets:
                    self.ring(sync=push.sync > 0)
            case SatisfiedPush():
                frame = self._addressee(push)
                if frame is not None:
                    self._on_home_thread(frame, partial(frame.deliver, push.result))
            case CancelPush():
                frame = self._addressee(push)
                if frame is not None:
                    self._stops.stop(frame, Stop("CANCELED", push.reason or "the run was cancelled"))
            case EvictPush():
                frame = self._frames.get(push.run_id)
                if frame is not None:
                    frame.evicted = True
                    if frame.parked:
                        self._evict(frame)

    def _addressee(self, push: SatisfiedPush | CancelPush) -> Frame | None:
        """The frame that `push` is for. It may be quicker than the grant of its run: then it is kept."""
        with self._lock:
            frame = self._frames.get(push.run_id)
            if frame is None or frame.epoch < push.epoch:
                if len(self._early) >= _EARLY:
                    del self._early[next(iter(self._early))]
                self._early.setdefault(push.run_id, []).append(push)
                return None
        return frame if frame.epoch == push.epoch else None

    def _take_early(self, frame: Frame) -> None:
        with self._lock:
            pushes = self._early.pop(frame.run_id, ())
        for push in pushes:
            if push.epoch >= frame.epoch:
                self._on_push(push)

    def _evict(self, frame: Frame) -> None:
        self._forget(frame)
        self._on_home_thread(frame, partial(frame.lose, Evicted))

    def ring(self, *, sync: bool) -> None:
        """There may be work. The ticket goes through Dramatiq; where its threads are all busy, async runs that wait
        are claimed without them."""
        if self._draining:
            return
        with self._lock:
            self._sync_rung = self._sync_rung or sync
            self._async_rung = True
            has_room = self._sync_used < self.options.threads
        if has_room:
            self._ticket.send("sync" if sync else "async")
        else:
            self._maybe_more = True
            self.claim_async()

    def _on_back(self) -> None:
        """The engine was away: ask for what it may have said meanwhile."""
        for frame in self._executing_frames():
            for key in frame.waiting_for():
                take = partial(self._take_watched, frame)
                self._send([(Watch(frame.run_id, frame.epoch, key), take)])
        self.ring(sync=True)

    def _take_watched(self, frame: Frame, answer: Answer) -> None:
        if isinstance(answer, Parked):
            for result in answer.results:
                self._on_home_thread(frame, partial(frame.deliver, result))

    def _on_home_thread(self, frame: Frame, action: Callable[[], None]) -> None:
        if frame.task.is_async:
            self.loop.post(action)
        else:
            action()

    # The Dramatiq actor.

    def _work(self, kind: str) -> None:
        """One ticket: drain the work class to the capacity of this process."""
        if kind == "stop":
            return
        self._maybe_more = True
        self.claim_async()
        if kind == "sync":
            self._serve_sync()

    # Async runs.

    def claim_async(self, first: list[Exchange] | None = None) -> None:
        """Claim async runs up to the free room, after the requests in `first`."""
        exchanges = first or []
        with self._lock:
            self._async_rung = False
            room = self.options.async_limit - self._async_used
            wanted = self._maybe_more and room > 0 and not self._draining and not self._heart.blocked
            if wanted and self._claiming_async:
                self._claim_again = True
            elif wanted:
                self._claiming_async = True
                exchanges = [*exchanges, (Claim(async_=room), self._take_async)]
        if exchanges:
            self._send(exchanges)

    def _take_async(self, answer: Answer) -> None:
        grants = answer.grants if isinstance(answer, Claimed) else []
        with self._lock:
            self._async_used += len(grants)
            self._claiming_async = False
            again = self._claim_again or (isinstance(answer, Claimed) and answer.more)
            self._claim_again = False
            self._maybe_more = bool(grants) or again
        if grants:
            self.loop.post(lambda: self._start_async(grants))
        if again:
            self.claim_async()

    def _start_async(self, grants: list[Grant]) -> None:
        for grant in grants:
            frame = self._adopted(grant)
            if frame is None:
                frame = self._new_frame(grant)
                if frame is None:
                    with self._lock:
                        self._async_used -= 1
                    continue
                context = copy_context()
                context.run(frame.bind)
                # Not through the task factory: the main task is the root of its run's scope.
                frame.main = asyncio.Task(self._execute(frame), loop=self.loop.loop, context=context)
                frame.scope.tasks.add(frame.main)
            else:
                frame.resume(grant)
            self._stops.start_clock(frame, grant.used_ms)
            self._take_early(frame)

    async def _execute(self, frame: Frame) -> None:
        try:
            finish = await attempt(frame, _call_async)
        except BaseException as error:
            finish = broken(frame, error)
        close_run(frame)
        if not self._ended(frame):
            return
        self._finished.append((frame, finish))
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self.loop.loop.call_soon(self._flush_finished)

    def _flush_finished(self) -> None:
        """Report the runs that ended in this turn of the loop together, and claim again in the same frame."""
        self._flush_scheduled = False
        finished, self._finished = self._finished, []
        exchanges: list[Exchange] = []
        for frame, finish in finished:
            exchanges += self._last_words(frame, finish)
            self._free(frame)
        self.claim_async(exchanges)
        for frame, _ in finished:
            self._forget(frame)
        self._notify_idle()

    # Plain runs.

    def _serve_sync(self) -> None:
        """Execute plain runs on behalf of this Dramatiq thread until there are none."""
        pending: list[Exchange] = []
        with self._lock:
            self._serving += 1
        try:
            while (grant := self._next_sync(pending)) is not None:
                if self._async_rung:
                    # A ticket for async runs may wait for this very thread.
                    self.claim_async()
                handoff: Future[list[Exchange]] = Future()
                self._start_sync(grant, handoff)
                # Until the run ends or parks; then this thread goes on with another.
                pending = handoff.result()
        finally:
            with self._lock:
                self._serving -= 1
            self._notify_idle()

    def _next_sync(self, pending: list[Exchange]) -> Grant | None:
        """The next plain run for this thread, after the requests in `pending`. One thread claims for all that are
        free, and sends them tickets."""
        while True:
            with self._lock:
                grant = self._sync_grants.popleft() if self._sync_grants else None
                room = 0 if grant is not None or self._draining else self.options.threads - self._sync_used
                self._sync_used += room
                self._sync_rung = self._sync_rung and room == 0
            if grant is not None or room == 0:
                self._send(pending)
                return grant
            claimed: Future[Answer] = Future()
            self._send([*pending, (Claim(sync=room), claimed.set_result)])
            pending = []
            answer = claimed.result()
            grants = answer.grants if isinstance(answer, Claimed) else []
            with self._lock:
                self._sync_used -= room - len(grants)
                self._sync_grants.extend(grants[1:])
                # A ring that came while the claim was under way may mean work that the claim did not see.
                rung = self._sync_rung
            for _ in range(len(grants) - 1 + (rung and bool(grants))):
                self._ticket.send("sync")
            if grants or not rung:
                return grants[0] if grants else None

    def _start_sync(self, grant: Grant, handoff: Future[list[Exchange]]) -> None:
        frame = self._adopted(grant)
        if frame is not None:
            self._handoffs[frame.run_id] = handoff
            self._stops.start_clock(frame, grant.used_ms)
            frame.resume(grant)
            self._take_early(frame)
            return
        frame = self._new_frame(grant)
        if frame is None:
            with self._lock:
                self._sync_used -= 1
            handoff.set_result([])
            return
        self._handoffs[frame.run_id] = handoff
        context = copy_context()
        context.run(frame.bind)
        self._threads.run(partial(context.run, self._execute_sync, frame))
        self._take_early(frame)

    def _execute_sync(self, frame: Frame) -> None:
        self._stops.start_clock(frame, frame.grant.used_ms)
        try:
            try:
                frame.reach.begin()
                finish = driven(attempt(frame, self._call_sync))
            finally:
                frame.reach.end()
        except BaseException as error:
            finish = broken(frame, error)
        close_run(frame)
        if self._ended(frame):
            self._end_sync(frame, self._last_words(frame, finish))

    def _end_sync(self, frame: Frame, exchanges: list[Exchange]) -> None:
        handoff = self._handoffs.pop(frame.run_id, None)
        self._free(frame)
        if handoff is not None:
            handoff.set_result(exchanges)
        else:
            self._send(exchanges)
        self._forget(frame)
        self._notify_idle()

    def _call_sync(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """`Call` for plain tasks; async hooks run on the loop meanwhile."""

        async def call() -> Any:
            result = fn(*arguments, **named)
            if inspect.isawaitable(result):
                return asyncio.run_coroutine_threadsafe(_awaited(result), self.loop.loop).result()
            return result

        return call()

    # Both.

    def _adopted(self, grant: Grant) -> Frame | None:
        """The parked frame of a run that comes back to this worker."""
        frame = self._frames.get(grant.run_id)
        if frame is None or not grant.resumed or not frame.parked:
            return None
        return frame

    def _new_frame(self, grant: Grant) -> Frame | None:
        stale = self._frames.pop(grant.run_id, None)
        if stale is not None:
            self.lose(stale)
        task = self._tasks.get(grant.task)
        if task is None:
            logger.error("run %s of task %r was granted, which this worker does not have", grant.run_id, grant.task)
            self._send([(Release([(grant.run_id, grant.epoch)], draining=False), _ignore)])
            return None
        frame = Frame(self, task, grant)
        self._frames[grant.run_id] = frame
        return frame

    def park(self, frame: Frame) -> None:
        """The engine has taken back slot and lease of this run: so does this process."""
        frame.parked = True
        self._stops.stop_clock(frame)
        handoff = self._handoffs.pop(frame.run_id, None)
        self._free(frame)
        if handoff is not None:
            handoff.set_result([])
        elif frame.task.is_async:
            self.claim_async()
        if frame.evicted:
            self._evict(frame)
        self._notify_idle()

    def _free(self, frame: Frame) -> None:
        """The run does not execute here any more: another may. Once for each time that it was claimed."""
        with self._lock:
            if frame.holds_slot:
                frame.holds_slot = False
                if frame.task.is_async:
                    self._async_used -= 1
                else:
                    self._sync_used -= 1

    def _ended(self, frame: Frame) -> bool:
        """The end of a run; False when it was reported already."""
        with self._lock:
            if frame.done:
                return False
            frame.done = True
        self._stops.stop_clock(frame)
        return True

    def _last_words(self, frame: Frame, finish: Finish | None) -> list[Exchange]:
        if frame.lost:
            return []
        if finish is None:
            # A signal for another run hit this one. It is begun again, at the price of no attempt.
            logger.warning("run %s was disturbed while another one was stopped; it starts again", frame.run_id)
            return [(Release([(frame.run_id, frame.epoch)], draining=False), _ignore)]
        return [*frame.notes(), self._telling(finish)]

    def _telling(self, finish: Finish, times: int = 1) -> Exchange:
        def take(answer: Answer) -> None:
            if not isinstance(answer, Failure) or answer.code == "lease_lost":
                return
            if answer.code not in _PASSING or times >= _TELLINGS:
                logger.error("the end of run %s was refused: %s", finish.run_id, answer.message)
                return
            if times == 1:
                logger.warning("the end of run %s cannot be stored yet: %s", finish.run_id, answer.message)
            self._deadlines.after(_TELL_AGAIN_S, lambda: self._send([self._telling(finish, times + 1)]))

        return finish, take

    def report_without(self, frame: Frame, finish: Finish) -> None:
        """A run that does not stop ends without its code, which can write nothing from now on."""
        if not self._ended(frame):
            return
        exchanges = self._last_words(frame, finish)
        if frame.task.is_async:
            self._free(frame)
            self.claim_async(exchanges)
            self._forget(frame)
            self._notify_idle()
        else:
            self._end_sync(frame, exchanges)
        frame.lost = True

    def lose(self, frame: Frame, signal: type[RunSignal] = LeaseLost) -> None:
        """The run is not this worker's any more: unwind what is here."""
        frame.lost = True
        self._on_home_thread(frame, partial(frame.lose, signal))

    def _forget(self, frame: Frame) -> None:
        if self._frames.get(frame.run_id) is frame:
            del self._frames[frame.run_id]

    def _notify_idle(self) -> None:
        if self._draining:
            with self._idle:
                self._idle.notify_all()

    def _send(self, exchanges: list[Exchange]) -> None:
        if exchanges:
            self.link.send(exchanges)

    def abandon(self, cause: str) -> None:
        """The engine is lost (self-fencing, C3): nothing that happens here from now on may count."""
        logger.error("%s; this worker ends", cause)
        self._draining = True
        for frame in list(self._frames.values()):
            self.lose(frame)
        self._leave(_ABANDONED)

    def held(self) -> int:
        """How many runs are here, parked ones included."""
        return len(self._frames)

    def blocking_frame(self) -> Frame | None:
        """The run whose code the event loop executes right now."""
        try:
            task = asyncio.current_task(self.loop.loop)
        except RuntimeError:
            return None
        if task is None:
            return None
        return next((frame for frame in list(self._frames.values()) if task in frame.scope.tasks), None)


async def _call_async(fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    result = fn(*arguments, **named)
    return await result if inspect.isawaitable(result) else result


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _ignore(_answer: Answer) -> None:
    """Nothing is left to do: a run that was lost is unwound by its next verb."""
