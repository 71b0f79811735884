"""What the code of a run says to the engine, and how it waits for the answer: as a coroutine, or as a thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING

from ..errors import by_code
from ..model.protocol import (
    Answer,
    Ask,
    CompleteToken,
    Failure,
    MakeToken,
    Parked,
    Peek,
    Recall,
    Record,
    Trigger,
    Triggered,
    Wait,
    WaitResult,
)
from .link import Exchange
from .parking import Parking
from .signals import JournalMismatch, LeaseLost, Stopped
from .waits import post_quietly

if TYPE_CHECKING:
    from .frame import Frame
    from .journal import Place

__all__ = ["Calls"]

#: Requests that are answered at once.
Saying = Trigger | Record | Recall | MakeToken | CompleteToken | Peek | Ask


class Calls:
    """The words of one run."""

    __slots__ = ("_frame", "parking")

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self.parking = Parking(frame)

    async def say(self, request: Saying, place: Place | None = None) -> Answer:
        """Say it, at `place` in the journal where it has one, and wait for the answer. Errors: those of the engine;
        signals for the run."""
        frame = self._frame
        frame.check()
        loop = asyncio.get_running_loop()
        await self._come_back(request, loop)
        arrived: asyncio.Future[Answer] = loop.create_future()
        self._send(request, loop, partial(_arrive, arrived))
        return self._accept(await arrived, place)

    def say_sync(self, request: Saying, place: Place | None = None) -> Answer:
        """`say`, on a thread."""
        frame = self._frame
        frame.check()
        with frame.reach.inside():
            arrived: Future[Answer] = Future()
            frame.worker.link.send([*self._words(request), (request, arrived.set_result)])
            return self._accept(arrived.result(), place)

    async def wait(self, request: Trigger | Wait, place: Place) -> tuple[Answer, WaitResult]:
        """Begin a durable wait at `place` and come back with its result; the run may be parked meanwhile."""
        frame = self._frame
        frame.check()
        loop, key = asyncio.get_running_loop(), request.key
        await self._come_back(request, loop)
        waiter: asyncio.Future[WaitResult] = loop.create_future()
        frame.waits.open(key, waiter)
        try:
            answer = await self._begin(request, loop, place)
            del request  # all of this stays in memory while the run waits
            result = _result_in(answer)
            if result is None:
                self.parking.block(waiter, loop is frame.worker.loop.loop)
                try:
                    result = await waiter
                except asyncio.CancelledError:
                    await self.parking.leave(key)
                    raise
                finally:
                    self.parking.unblock(loop)
            return answer, result
        finally:
            frame.waits.close(key)
            if not waiter.done():
                waiter.cancel()
            elif not waiter.cancelled():
                waiter.exception()  # seen: asyncio need not complain

    async def _begin(self, request: Trigger | Wait, loop: asyncio.AbstractEventLoop, place: Place) -> Answer:
        """Ask for the wait, and to be parked where nothing else happens in the run."""
        frame = self._frame
        at_home = loop is frame.worker.loop.loop
        # A plain task may have an event loop of its own; a run parks as long as nothing else happens on it.
        request.park = frame.scope.is_alone() if at_home else len(asyncio.all_tasks(loop)) == 1
        if self.parking.timer_due or frame.stop is not None:
            request.park = False
        request.wake_ms = frame.scope.wake_ms() if at_home and request.park else None
        arrived: asyncio.Future[Answer] = loop.create_future()

        def take(answer: Answer) -> None:
            # Also when nobody waits for the answer any more: a slot that the engine took back is not held here.
            if _parks(answer):
                frame.worker.park(frame, request.epoch)
            _arrive(arrived, answer)

        self._send(request, loop, take)
        try:
            return self._accept(await asyncio.shield(arrived), place)
        except asyncio.CancelledError:
            # Whether the run was parked is known once the answer is there.
            while not arrived.done() and not frame.worker.loop.stopping:
                with suppress(asyncio.CancelledError):
                    await asyncio.shield(arrived)
            await self.parking.leave(request.key)
            raise

    def wait_sync(self, request: Trigger | Wait, place: Place) -> tuple[Answer, WaitResult]:
        """`wait`, on a thread."""
        frame = self._frame
        frame.check()
        with frame.reach.inside():
            waiter: Future[WaitResult] = Future()
            frame.waits.open(request.key, waiter)
            # Only the run's own thread can give the slot back: another one may still be at work beside it.
            request.park = frame.reach.is_here()
            arrived: Future[Answer] = Future()

            def take(answer: Answer) -> None:
                # Here, and not on the run's thread: the run may be granted again by the very next message.
                if _parks(answer):
                    frame.worker.park(frame, request.epoch)
                arrived.set_result(answer)

            frame.worker.link.send([*self._words(request), (request, take)])
            try:
                answer = self._accept(arrived.result(), place)
                result = _result_in(answer)
                if result is None:
                    if frame.stop is not None:
                        raise Stopped(frame.stop.reason)
                    result = waiter.result()
                return answer, result
            finally:
                frame.waits.close(request.key)

    async def _come_back(self, request: Saying | Wait, loop: asyncio.AbstractEventLoop) -> None:
        """A parked run that was woken by none of its waits, say by a semaphore that it shares with another run, has no
        slot: it is claimed again before it says anything."""
        if loop is self._frame.worker.loop.loop and self.parking.is_away():
            await self.parking.leave("")
            self._frame.check()
        if not isinstance(request, MakeToken | CompleteToken | Ask):
            request.epoch = self._frame.epoch

    def _send(self, request: Saying | Wait, loop: asyncio.AbstractEventLoop, take: Callable[[Answer], None]) -> None:
        frame = self._frame
        home = frame.worker.loop
        post = home.post if loop is home.loop else loop.call_soon_threadsafe
        frame.worker.link.send(
            [*self._words(request), (request, lambda answer: post_quietly(post, partial(take, answer)))]
        )

    def _words(self, request: Saying | Wait) -> list[Exchange]:
        """What is to be said before `request`."""
        if isinstance(request, Trigger | Wait) or (isinstance(request, Record) and request.entries):
            self._frame.settle_streams()
        return self._frame.words()

    def _accept(self, answer: Answer, place: Place | None) -> Answer:
        if not isinstance(answer, Failure):
            return answer
        frame = self._frame
        if answer.code == "lease_lost":
            frame.lost = True
            raise LeaseLost(answer.message)
        if answer.code == "journal_mismatch":
            signal = JournalMismatch(message=answer.message)
            frame.mismatch(signal)
            raise signal
        error = by_code(answer.code, answer.message)
        if place is not None:
            frame.refused(place, error)
        raise error


def _arrive(arrived: asyncio.Future[Answer], answer: Answer) -> None:
    if not arrived.done():
        arrived.set_result(answer)


def _parks(answer: Answer) -> bool:
    return isinstance(answer, Triggered | Parked) and answer.parked


def _result_in(answer: Answer) -> WaitResult | None:
    if isinstance(answer, Triggered):
        return answer.result
    return answer.results[0] if isinstance(answer, Parked) and answer.results else None
