"""The async runs of a worker: claimed as many at a time as there is room for, executed on its event loop."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import TYPE_CHECKING, Any

from ..model.protocol import Answer, Claim, Claimed, Grant
from .attempt import attempt, broken
from .capture import close_run
from .duty import attend
from .endings import End
from .frame import Frame
from .link import Exchange

if TYPE_CHECKING:
    from .worker import Worker

__all__ = ["AsyncRuns"]


class AsyncRuns:
    """Claims, starts and ends async runs."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._slots = worker.slots
        #: Whether a ring came since the last claim; under the lock of the slots.
        self.rung = False
        self._claiming = False
        self._claim_again = False
        self._maybe_more = True
        #: What was claimed and is not yet started; whether that is being started.
        self._granted: list[Grant] = []
        self._starting = False
        self._finished: list[tuple[Frame, End | None]] = []
        self._flush_scheduled = False

    def is_idle(self) -> bool:
        """Whether none is being claimed or about to start, with the lock of the slots held."""
        return not (self._claiming or self._granted or self._starting)

    def give_up_grants(self) -> list[tuple[str, int]]:
        """Run and epoch of what was claimed and will not be started, with the lock of the slots held."""
        left = [(grant.run_id, grant.epoch) for grant in self._granted]
        self._granted.clear()
        return left

    def look(self) -> None:
        """There may be work: claim what there is room for."""
        self._maybe_more = True
        self.claim()

    def claim(self, first: list[Exchange] | None = None) -> None:
        """Claim async runs up to the free room, after the requests in `first`."""
        exchanges = first or []
        with self._slots.lock:
            self.rung = False
            room = self._slots.async_room()
            wanted = self._maybe_more and room > 0 and not self._worker.draining and not self._worker.heart.blocked
            if wanted and self._claiming:
                self._claim_again = True
            elif wanted:
                self._claiming = True
                exchanges = [*exchanges, (Claim(async_=room), self._take)]
        self._worker.send(exchanges)

    def parked(self, frame: Frame) -> None:
        """The run waits for others: its slot is free."""
        self._slots.free(frame)
        self.claim()

    def end(self, frame: Frame, exchanges: list[Exchange]) -> None:
        """The run has ended, and `exchanges` tell so."""
        self._slots.free(frame)
        self.claim(exchanges)
        self._worker.forget(frame)
        self._worker.notify_idle()

    def _take(self, answer: Answer) -> None:
        grants = answer.grants if isinstance(answer, Claimed) else []
        with self._slots.lock:
            self._slots.async_used += len(grants)
            self._granted += grants
            self._claiming = False
            again = self._claim_again or (isinstance(answer, Claimed) and answer.more)
            self._claim_again = False
            self._maybe_more = bool(grants) or again
        if grants:
            self._worker.loop.post(self._start_granted)
        elif self._worker.draining:
            self._worker.notify_idle()
        if again:
            self.claim()

    def _start_granted(self) -> None:
        with self._slots.lock:
            grants, self._granted = self._granted, []
            self._starting = True
        try:
            self.start(grants)
        finally:
            with self._slots.lock:
                self._starting = False
            if self._worker.draining:
                self._worker.notify_idle()

    def start(self, grants: list[Grant]) -> None:
        """Execute runs. On the loop's thread."""
        worker = self._worker
        for grant in grants:
            frame = worker.adopted(grant)
            if frame is None:
                if worker.execute_apart(grant, self._gone):
                    continue
                frame = worker.new_frame(grant)
                if frame is None:
                    self._slots.give_back_async()
                    continue
                context = copy_context()
                context.run(frame.bind)
                # Not through the task factory: the main task is the root of its run's scope.
                frame.main = asyncio.Task(self._execute(frame), loop=worker.loop.loop, context=context, name=frame.name)
                frame.scope.tasks.add(frame.main)
            else:
                frame.resume(grant)
            worker.stops.start_clock(frame, grant.used_ms)
            worker.take_early(frame)

    def _gone(self) -> None:
        """A run does not execute in a process of its own any more."""
        self._slots.give_back_async()
        self.claim()

    async def _execute(self, frame: Frame) -> None:
        try:
            finish = await (attend if frame.grant.duty else attempt)(frame, _call)
        except BaseException as error:
            finish = broken(frame, error)
        close_run(frame)
        if self._worker.loop.stopping or not self._worker.endings.end(frame):
            return  # at the stop of its worker nobody is told any more, and the loop may be closed
        self._finished.append((frame, finish))
        if not self._flush_scheduled:
            self._flush_scheduled = True
            self._worker.loop.loop.call_soon(self._flush)

    def _flush(self) -> None:
        """Report the runs that ended in this turn of the loop together, and claim again in the same frame."""
        self._flush_scheduled = False
        finished, self._finished = self._finished, []
        exchanges: list[Exchange] = []
        for frame, finish in finished:
            exchanges += self._worker.endings.last_words(frame, finish)
            self._slots.free(frame)
        self.claim(exchanges)
        for frame, _ in finished:
            self._worker.forget(frame)
        self._worker.notify_idle()


def _call(fn: Callable[..., Any], *arguments: Any, **named: Any) -> Awaitable[Any]:
    """`Call` for async tasks."""
    result = fn(*arguments, **named)
    return result if inspect.isawaitable(result) else _there(result)


async def _there(result: Any) -> Any:
    return result
