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
from ..engine.scene import error_text
from ..model.ids import new_id
from ..model.limits import INLINE_BYTES
from ..model.manifest import Manifest
from ..model.protocol import (
    Answer,
    CancelPush,
    Claim,
    Claimed,
    EvictPush,
    Finish,
    Grant,
    Hello,
    Push,
    Release,
    RingPush,
    SatisfiedPush,
)
from ..model.retry import RetryPolicy
from ..model.task_error import TaskError
from ..sdk.pause import Sleeper
from ..sdk.task import Task
from .attempt import attempt, driven
from .deadlines import Deadline, Deadlines
from .emitter import Emitter
from .frame import Frame, Stop
from .heart import Heart
from .link import Exchange, Link
from .loop_thread import LoopThread
from .run_threads import RunThreads, raise_in_thread
from .signals import Evicted, Stopped

__all__ = ["Worker", "WorkerOptions"]

logger = logging.getLogger("detent.worker")

QUEUE = "detent"
#: How long a run may take to stop before it is reported stopped without it, in seconds.
STOP_GRACE_S = 5.0
#: How often to look for work without a ring, in seconds, give or take a third; it covers every lost ticket.
POLL_S = 1.0


@dataclass(frozen=True)
class WorkerOptions:
    """How a worker works.

    `threads`: plain ``def`` runs at once. `async_limit`: async runs at once. `retry` and `max_duration_ms`: for tasks
    that do not say. `poll_s`: see `POLL_S`, None for no polling. `drop_tickets`: lose every ticket (tests).
    """

    threads: int = 8
    async_limit: int = 1_000
    retry: RetryPolicy = field(default_factory=RetryPolicy)
    max_duration_ms: int | None = None
    poll_s: float | None = POLL_S
    drop_tickets: bool = False

    @classmethod
    def for_tests(cls, **sizes: int) -> WorkerOptions:
        """Options that need no polling, or, with ``DETENT_TICKETS=drop``, live by it alone."""
        drop = os.environ.get("DETENT_TICKETS") == "drop"
        return cls(**sizes, poll_s=0.02 if drop else None, drop_tickets=drop)  # type: ignore[arg-type]  # sizes are int


class Worker:
    """Executes the runs of some tasks in this process.

    Parameters:
      link: to the engine.
      tasks, manifest: what it can run.
      put_object, get_object: the object store for large payloads and outputs.
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
        self._clocks: dict[str, tuple[Deadline, int, int]] = {}
        self._emitter = Emitter(self._executing_frames, self._send)
        self._heart = Heart(self)
        self._lock = threading.Lock()
        self._async_used = 0
        self._sync_used = 0
        self._claiming_async = False
        self._claim_again = False
        self._maybe_more = True
        self._sync_grants: deque[Grant] = deque()
        self._sync_rung = False
        self._handoffs: dict[str, Future[list[Exchange]]] = {}
        self._finished: list[tuple[Frame, Finish | None]] = []
        self._flush_scheduled = False
        self._draining = False
        self._idle = threading.Condition(self._lock)
        self._broker = EmbeddedBroker()
        self._ticket = actor(self._work, broker=self._broker, actor_name="detent_ticket", queue_name=QUEUE)
        self._dramatiq = DramatiqWorker(
            self._broker, worker_threads=self.options.threads, worker_timeout=5_000
        )

    # Life.

    def start(self) -> None:
        """Say hello and begin to claim. Errors: `ServerUnreachable`."""
        self.loop.start()
        process = psutil.Process()
        hello = Hello(self.worker_id, self._manifest, process.pid, process.create_time(), socket.gethostname())
        welcome = self.link.open(hello, self._on_push)
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
            self._idle.wait_for(lambda: not self._executing_frames(), grace_s)
            left = [(frame.run_id, frame.epoch) for frame in self._executing_frames()]
        if left:
            done: Future[Answer] = Future()
            self._send([(Release(left), done.set_result)])
            try:
                done.result(timeout=5)
            except TimeoutError:
                logger.warning("the engine did not confirm the hand-back of %d runs", len(left))

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
                frame = self._frames.get(push.run_id)
                if frame is not None and frame.epoch == push.epoch:
                    self._on_home_thread(frame, partial(frame.deliver, push.result))
            case CancelPush():
                frame = self._frames.get(push.run_id)
                if frame is not None and frame.epoch == push.epoch:
                    self.stop_run(frame, Stop("CANCELED", push.reason or "the run was cancelled"))
            case EvictPush():
                frame = self._frames.get(push.run_id)
                if frame is not None and frame.parked:
                    self._forget(frame)
                    self._on_home_thread(frame, partial(frame.lose, Evicted))

    def ring(self, *, sync: bool) -> None:
        """There may be work. The ticket goes through Dramatiq; where its threads are all busy, async runs that wait
        are claimed without them."""
        if self._draining:
            return
        with self._lock:
            self._sync_rung = self._sync_rung or sync
            has_room = self._sync_used < self.options.threads
        if has_room:
            self._ticket.send("sync" if sync else "async")
        else:
            self._maybe_more = True
            self.claim_async()

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
                    continue
                context = copy_context()
                context.run(frame.bind)
                # Not through the task factory: the main task is the root of its run's scope.
                frame.main = asyncio.Task(self._execute(frame), loop=self.loop.loop, context=context)
                frame.scope.tasks.add(frame.main)
            else:
                frame.resume(grant)
            self._start_clock(frame)

    async def _execute(self, frame: Frame) -> None:
        try:
            finish = await attempt(frame, _call_async)
        except BaseException as error:
            finish = _broken(frame, error)
        frame.done = True
        self._stop_clock(frame)
        self._finished.append((frame, finish))
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self.loop.loop.call_soon(self._flush_finished)

    def _flush_finished(self) -> None:
        """Report the runs that ended in this turn of the loop together, and claim again in the same frame."""
        self._flush_scheduled = False
        finished, self._finished = self._finished, []
        exchanges: list[Exchange] = []
        freed = 0
        for frame, finish in finished:
            freed += not frame.parked and self._frames.get(frame.run_id) is frame
            if finish is not None and not frame.lost:
                exchanges += [*frame.notes(), (finish, _ignore)]
            self._forget(frame)
        with self._lock:
            self._async_used -= freed
        self.claim_async(exchanges)
        self._notify_idle()

    # Plain runs.

    def _serve_sync(self) -> None:
        """Execute plain runs on behalf of this Dramatiq thread until there are none."""
        pending: list[Exchange] = []
        while not self._draining:
            grant = self._next_sync(pending)
            if grant is None:
                break
            handoff: Future[list[Exchange]] = Future()
            self._start_sync(grant, handoff)
            # Until the run ends or parks; then this thread goes on with another.
            pending = handoff.result()
            self._notify_idle()
        else:
            self._send(pending)

    def _next_sync(self, pending: list[Exchange]) -> Grant | None:
        """The next plain run for this thread, after the requests in `pending`. One thread claims for all that are
        free, and sends them tickets."""
        while True:
            with self._lock:
                grant = self._sync_grants.popleft() if self._sync_grants else None
                room = 0 if grant is not None else self.options.threads - self._sync_used
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
            self._start_clock(frame)
            frame.resume(grant)
            return
        frame = self._new_frame(grant)
        if frame is None:
            self._free_sync()
            handoff.set_result([])
            return
        self._handoffs[frame.run_id] = handoff
        context = copy_context()
        context.run(frame.bind)
        self._threads.run(partial(context.run, self._execute_sync, frame))

    def _execute_sync(self, frame: Frame) -> None:
        frame.thread_id = threading.get_ident()
        self._start_clock(frame)
        try:
            finish = driven(attempt(frame, self._call_sync))
        except BaseException as error:
            finish = _broken(frame, error)
        self._end_sync(frame, finish)

    def _end_sync(self, frame: Frame, finish: Finish | None) -> None:
        with self._lock:
            if frame.done:
                return
            frame.done = True
        self._stop_clock(frame)
        if frame.thread_id is not None and frame.thread_id == threading.get_ident():
            raise_in_thread(frame.thread_id, None)
        exchanges: list[Exchange] = []
        if finish is not None and not frame.lost:
            exchanges = [*frame.notes(), (finish, _ignore)]
        handoff = self._handoffs.pop(frame.run_id, None)
        self._forget(frame)
        if handoff is not None:
            self._free_sync()
            handoff.set_result(exchanges)
        else:
            self._send(exchanges)

    def _call_sync(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """`Call` for plain tasks; async hooks run on the loop meanwhile."""

        async def call() -> Any:
            result = fn(*arguments, **named)
            if inspect.isawaitable(result):
                return asyncio.run_coroutine_threadsafe(_awaited(result), self.loop.loop).result()
            return result

        return call()

    def _free_sync(self) -> None:
        with self._lock:
            self._sync_used -= 1

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
            self._on_home_thread(stale, stale.lose)
        task = self._tasks.get(grant.task)
        if task is None:
            self._send([(Release([(grant.run_id, grant.epoch)], draining=False), _ignore)])
            with self._lock:
                self._async_used -= 1
            return None
        frame = Frame(self, task, grant)
        self._frames[grant.run_id] = frame
        return frame

    def park(self, frame: Frame) -> None:
        """The engine has taken back slot and lease of this run: so does this process."""
        frame.parked = True
        self._stop_clock(frame)
        if frame.task.is_async:
            with self._lock:
                self._async_used -= 1
            self.claim_async()
        else:
            handoff = self._handoffs.pop(frame.run_id, None)
            self._free_sync()
            if handoff is not None:
                handoff.set_result([])
        self._notify_idle()

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

    # Time limits and stops.

    def _start_clock(self, frame: Frame) -> None:
        limit = self.max_duration_of(frame.task, frame.grant)
        if limit is None:
            return
        _, used, _ = self._clocks.pop(frame.run_id, (None, 0, 0))
        text = f"the attempt used more than its max_duration of {limit / 1000:g} s"
        deadline = self._deadlines.after(
            max(0, limit - used) / 1000, lambda: self.stop_run(frame, Stop("TIMED_OUT", text))
        )
        self._clocks[frame.run_id] = (deadline, used, self.now())

    def _stop_clock(self, frame: Frame) -> None:
        """Waits do not count: what was used so far is kept for when the run goes on."""
        deadline, used, since = self._clocks.pop(frame.run_id, (None, 0, 0))
        if deadline is not None:
            deadline.cancel()
            if frame.parked:
                self._clocks[frame.run_id] = (deadline, used + self.now() - since, 0)

    def stop_run(self, frame: Frame, stop: Stop) -> None:
        """Stop a run: async at its next ``await``, plain at its next bytecode; reported without it after a grace."""
        if frame.done or frame.stop is not None:
            return
        frame.stop = stop
        if frame.task.is_async:
            main = frame.main
            if main is not None:
                self.loop.post(lambda: main.cancel(stop.reason) and None)
            self._deadlines.after(STOP_GRACE_S / 2, lambda: self._stop_loop_blocker(frame))
        elif frame.thread_id is not None:
            raise_in_thread(frame.thread_id, Stopped)
        self._deadlines.after(STOP_GRACE_S, lambda: self._give_up(frame))

    def _stop_loop_blocker(self, frame: Frame) -> None:
        """An async run that never awaits cannot be cancelled: raise in it as in a plain one."""
        if not frame.done and self._heart.blocking_run() == frame.run_id:
            assert self.loop.thread.ident is not None
            raise_in_thread(self.loop.thread.ident, Stopped)

    def _give_up(self, frame: Frame) -> None:
        """The run does not stop, say in a system call: its end is reported without it, its thread is left alone."""
        if frame.done or frame.stop is None or frame.task.is_async:
            return
        frame.log("warn", f"the run did not stop within {STOP_GRACE_S:g} s; its thread was left behind", None, "detent")
        error = TaskError("RunStopped", frame.stop.reason, code=frame.stop.status.lower())
        finish = Finish(frame.run_id, frame.epoch, frame.stop.status, error=error_text(error))
        self._end_sync(frame, finish)
        frame.lost = True

    def abandon(self, cause: str) -> None:
        """The engine is lost (self-fencing, C3): nothing that happens here from now on may count."""
        logger.error("%s; this worker ends", cause)
        self._draining = True
        os._exit(70)

    def find(self, run_id: str) -> Frame | None:
        return self._frames.get(run_id)


async def _call_async(fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    result = fn(*arguments, **named)
    return await result if inspect.isawaitable(result) else result


async def _awaited(awaitable: Any) -> Any:
    return await awaitable


def _broken(frame: Frame, error: BaseException) -> Finish | None:
    """The end of a run that was stopped while its end was already being prepared, or that met an error of detent."""
    if frame.lost or frame.done:
        return None
    if frame.stop is not None:
        record = TaskError("RunStopped", frame.stop.reason, code=frame.stop.status.lower())
        return Finish(frame.run_id, frame.epoch, frame.stop.status, error=error_text(record))
    logger.error("run %s met an error of detent itself", frame.run_id, exc_info=error)
    record = TaskError.of(error, "system_failure")
    return Finish(frame.run_id, frame.epoch, "SYSTEM_FAILURE", error=error_text(record))


def _ignore(_answer: Answer) -> None:
    """Nothing is left to do: a run that was lost is unwound by its next verb."""
