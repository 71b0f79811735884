"""The plain runs of a worker: claimed by the threads that take tickets, each executed on a thread of its own."""

from __future__ import annotations

import asyncio
import inspect
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING, Any

from ..model.protocol import Answer, Claim, Claimed, Grant
from .attempt import attempt, broken
from .capture import close_run
from .duty import attend
from .frame import Frame
from .hook_calls import driven
from .link import Exchange
from .run_threads import RunThreads

if TYPE_CHECKING:
    from .worker import Worker

__all__ = ["SyncRuns"]


class SyncRuns:
    """Claims, starts and ends plain runs."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._slots = worker.slots
        self._threads = RunThreads()
        #: Whether a ring came since the last claim; under the lock of the slots.
        self.rung = False
        self._serving = 0
        self._grants: deque[Grant] = deque()
        #: By run: tells the thread that serves it that it has ended or parked, and what is to be sent about that.
        self._handoffs: dict[str, Future[list[Exchange]]] = {}

    def is_idle(self) -> bool:
        """Whether none is served or waits for its start, with the lock of the slots held."""
        return not (self._serving or self._grants)

    def give_up_grants(self) -> list[tuple[str, int]]:
        """Run and epoch of what was claimed and will not be started, with the lock of the slots held."""
        left = [(grant.run_id, grant.epoch) for grant in self._grants]
        self._grants.clear()
        return left

    def serve(self) -> None:
        """Execute plain runs on behalf of this Dramatiq thread until there are none."""
        pending: list[Exchange] = []
        with self._slots.lock:
            self._serving += 1
        try:
            while (grant := self._next(pending)) is not None:
                if self._worker.async_runs.rung:
                    # A ticket for async runs may wait for this very thread.
                    self._worker.async_runs.claim()
                handoff: Future[list[Exchange]] = Future()
                self.start(grant, handoff)
                # Until the run ends or parks; then this thread goes on with another.
                pending = handoff.result()
        finally:
            with self._slots.lock:
                self._serving -= 1
            self._worker.notify_idle()

    def parked(self, frame: Frame) -> None:
        """The run waits for others: its slot is free, and the thread that served it serves another."""
        handoff = self._handoffs.pop(frame.name, None)
        self._slots.free(frame)
        if handoff is not None:
            handoff.set_result([])

    def end(self, frame: Frame, exchanges: list[Exchange]) -> None:
        """The run has ended, and `exchanges` tell so."""
        handoff = self._handoffs.pop(frame.name, None)
        self._slots.free(frame)
        if handoff is not None:
            handoff.set_result(exchanges)
        else:
            self._worker.send(exchanges)
        self._worker.forget(frame)
        self._worker.notify_idle()

    def _next(self, pending: list[Exchange]) -> Grant | None:
        """The next plain run for this thread, after the requests in `pending`. One thread claims for all that are
        free, and sends them tickets."""
        slots = self._slots
        while True:
            with slots.lock:
                grant = self._grants.popleft() if self._grants else None
                room = 0 if grant is not None or self._worker.draining else slots.sync_room()
                slots.sync_used += room
                self.rung = self.rung and room == 0
            if grant is not None or room == 0:
                self._worker.send(pending)
                return grant
            claimed: Future[Answer] = Future()
            self._worker.send([*pending, (Claim(sync=room), claimed.set_result)])
            pending = []
            answer = claimed.result()
            grants = answer.grants if isinstance(answer, Claimed) else []
            with slots.lock:
                slots.sync_used -= room - len(grants)
                self._grants.extend(grants[1:])
                # A ring that came while the claim was under way may mean work that the claim did not see.
                rung = self.rung
            for _ in range(len(grants) - 1 + (rung and bool(grants))):
                self._worker.tickets.send("sync")
            if grants or not rung:
                return grants[0] if grants else None

    def start(self, grant: Grant, handoff: Future[list[Exchange]]) -> None:
        """Execute a run. `handoff` is told what is to be sent when it has ended, or has parked."""
        worker = self._worker
        if grant.duty and worker.is_async(grant):
            # The hooks of an isolated task, whose runs take the room of plain ones.
            self._gone(handoff)
            worker.slots.take_async()
            worker.loop.post(partial(worker.async_runs.start, [grant]))
            return
        frame = worker.adopted(grant)
        if frame is not None:
            self._handoffs[frame.name] = handoff
            worker.stops.start_clock(frame, grant.used_ms)
            frame.resume(grant)
            worker.take_early(frame)
            return
        if worker.execute_apart(grant, partial(self._gone, handoff)):
            return
        frame = worker.new_frame(grant)
        if frame is None:
            self._gone(handoff)
            return
        self._handoffs[frame.name] = handoff
        context = copy_context()
        context.run(frame.bind)
        self._threads.run(partial(context.run, self._execute, frame))
        worker.take_early(frame)

    def _gone(self, handoff: Future[list[Exchange]]) -> None:
        """A run that was claimed does not execute in this process."""
        self._slots.give_back_sync()
        handoff.set_result([])

    def _execute(self, frame: Frame) -> None:
        self._worker.stops.start_clock(frame, frame.grant.used_ms)
        try:
            try:
                frame.reach.begin()
                finish = driven((attend if frame.grant.duty else attempt)(frame, self._call))
            finally:
                frame.reach.end()
        except BaseException as error:
            finish = broken(frame, error)
        close_run(frame)
        if self._worker.endings.end(frame):
            self.end(frame, self._worker.endings.last_words(frame, finish))

    def _call(self, fn: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        """`Call` for plain tasks; async hooks run on the loop meanwhile."""

        async def call() -> Any:
            result = fn(*arguments, **named)
            if inspect.isawaitable(result):
                return asyncio.run_coroutine_threadsafe(_awaited(result), self._worker.loop.loop).result()
            return result

        return call()


async def _awaited(awaitable: Any) -> Any:
    return await awaitable
