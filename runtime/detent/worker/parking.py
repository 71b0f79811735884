"""Parks an async run of several branches once none of them can go on."""

from __future__ import annotations

import asyncio
from contextvars import Context
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..engine.park import TIMER
from ..model.protocol import Answer, Failure, Grant, Leave, Park, Parked, WaitResult
from .signals import Evicted, RunSignal
from .waits import post_quietly

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Parking"]

#: A run that does not wait in all of its branches is looked at again after so many seconds.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.005, 0.5


class Parking:
    """Watches the branches of one run while some of them wait. On the loop's thread."""

    __slots__ = ("_asking", "_frame", "_look_after_s", "_look_again", "_returning", "_unheard", "timer_due")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._asking = False
        #: Whether a time-out inside the run is due, for which it was claimed: it is called once no branch can go on.
        self.timer_due = _is_timer(frame.grant)
        self._look_again: asyncio.TimerHandle | None = None
        self._look_after_s = _FIRST_LOOK_S
        self._returning: tuple[asyncio.Future[None], ...] = ()
        #: What was refused while the run was being claimed again.
        self._unheard: tuple[Leave, ...] = ()

    def block(self, waiter: asyncio.Future[WaitResult], at_home: bool) -> None:
        """The calling branch waits from now on; the run parks, unless the branch is on a loop of its own (not
        `at_home`)."""
        frame = self._frame
        task = asyncio.current_task()
        assert task is not None
        frame.scope.blocked.add(task)
        if at_home and not frame.parked and not waiter.done():
            self._watch()

    def unblock(self, loop: asyncio.AbstractEventLoop) -> None:
        """The calling branch goes on. One that is dropped with its `loop` is no task of it any more."""
        task = asyncio.current_task(loop)
        if task is not None:
            self._frame.scope.blocked.discard(task)

    def _watch(self) -> None:
        self._look_after_s = _FIRST_LOOK_S
        self._frame.scope.on_end = self._park_if_waiting
        # In an empty context: timers of ours are none of the run's.
        self._frame.worker.loop.loop.call_soon(self._park_if_waiting, context=Context())

    async def leave(self, key: str) -> None:
        """A wait was ended from inside, by a time-out for instance. A run that is parked is claimed again before its
        code goes on, so that it never executes without a slot (DESIGN.md section 5, "Wiring")."""
        frame = self._frame
        frame.waits.close(key)
        if frame.evicted_at_wait:
            # At the same moment it was thrown out of this wait: that counts, and its code must not go on here.
            raise Evicted(f"run {frame.run_id} goes on elsewhere")
        if frame.lost or frame.done or frame.stop is not None or frame.mismatched or frame.worker.loop.stopping:
            return
        request = Leave(frame.run_id, frame.epoch, key, frame.journal.next_order())
        # Words of a run that is parked, or about to be, would be refused: they wait until it has been claimed again.
        words = [] if frame.parked or self._asking else frame.words()
        frame.worker.link.send([*words, (request, partial(self._left, request))])
        while self.is_away():
            back: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._returning = (*self._returning, back)
            try:
                # It may have come back just now: a plain run is claimed again by another thread.
                if self.is_away():
                    await asyncio.shield(back)
            except asyncio.CancelledError:
                continue  # the cancellation that ended the wait is raised soon enough
            finally:
                self._returning = tuple(other for other in self._returning if other is not back)

    def is_away(self) -> bool:
        """Whether the run is parked, or about to be."""
        frame = self._frame
        return (frame.parked or self._asking) and not frame.lost and not frame.worker.loop.stopping

    def resumed(self, grant: Grant) -> None:
        """The parked run was claimed again."""
        self.timer_due = _is_timer(grant)
        unheard, self._unheard = self._unheard, ()
        for request in unheard:
            self._leave_again(request)
        self.go_on()
        if self._frame.task.is_async and self._frame.waits.unsatisfied():
            # Other branches wait on: it parks again once the one that was told something waits, too, or is over.
            self._watch()

    def go_on(self, signal: RunSignal | None = None) -> None:
        """The run was claimed again, or is lost: those that wait for it may go on, or are told."""
        returning, self._returning = self._returning, ()
        for back in returning:
            post_quietly(back.get_loop().call_soon_threadsafe, lambda back=back: _settle(back, signal))  # type: ignore[misc]  # mypy cannot infer a lambda with a default

    def _left(self, request: Leave, answer: Answer) -> None:
        if isinstance(answer, Failure) and answer.code == "lease_lost":
            # After whatever came before this answer, such as the grant that makes the request one of an old epoch.
            self._frame.worker.loop.post(partial(self._leave_again, request))

    def _leave_again(self, request: Leave) -> None:
        frame = self._frame
        if frame.lost or frame.done:
            return
        if frame.epoch == request.epoch:
            if frame.parked:
                # A thread is about to take up its grant, or another worker has it, which is told by a push.
                self._unheard = (*self._unheard, request)
            else:
                frame.worker.lose(frame)
            return
        again = replace(request, epoch=frame.epoch)
        frame.worker.link.send([(again, partial(self._left, again))])

    def _park_if_waiting(self) -> None:
        frame = self._frame
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        if self._asking or frame.parked or frame.done or frame.lost or frame.stop is not None:
            return
        keys = frame.waits.unsatisfied()
        if not keys:
            return
        if frame.turns or not frame.scope.is_waiting(frame.worker.loop.loop) or len(keys) != len(frame.waits):
            # No event tells that a branch went from work to waiting for another one, so it is looked at again.
            loop = frame.worker.loop.loop
            self._look_again = loop.call_later(self._look_after_s, self._park_if_waiting, context=Context())
            self._look_after_s = min(_LONGEST_LOOK_S, self._look_after_s * 2)
            return

        if self.timer_due:
            self.timer_due = False
            if frame.scope.call_timer():
                return
        self._asking = True

        epoch = frame.epoch

        def take(answer: Answer) -> None:
            frame.worker.loop.post(lambda: self._answered(answer, epoch))

        frame.worker.link.send([*frame.words(), (Park(frame.run_id, epoch, keys, frame.scope.wake_ms()), take)])

    def _answered(self, answer: Answer, epoch: int) -> None:
        frame = self._frame
        self._asking = False
        if isinstance(answer, Failure):
            if answer.code == "lease_lost":
                frame.lose()
            return
        assert isinstance(answer, Parked)
        if answer.parked:
            frame.worker.park(frame, epoch)
        else:
            self.go_on()
            # One wait is over and others may not be: what goes on now may wait by something that tells nobody.
            self._watch()
        for result in answer.results:
            frame.waits.deliver(result)


def _is_timer(grant: Grant) -> bool:
    return [result.key for result in grant.results] == [TIMER]


def _settle(back: asyncio.Future[None], signal: RunSignal | None) -> None:
    if back.done():
        return
    if signal is None:
        back.set_result(None)
    else:
        back.set_exception(signal)
