"""Tells a run that is replayed the results of its branches in the order in which it was told them before.

Only then do ``as_completed``, ``asyncio.wait`` and shared variables come out as the first time (C7).
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextvars import Context
from typing import TYPE_CHECKING

from ..model.protocol import Entry
from .signals import JournalMismatch

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Turns"]

#: A run that is not at rest is looked at again after so many seconds.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.001, 0.25
#: What belongs to no run.
_OUTSIDE = Context()


class Turns:
    """The order of one run. On the loop's thread.

    A branch waits for its turn; the next turn comes when no branch can go on without being told something. Where the
    next thing that happened was that a branch gave up (a time-out), the run's earliest timer is called now: what it
    waited for then is not sat out again.
    """

    __slots__ = ("_frame", "_look_after_s", "_looking", "_order", "_unordered", "_waiting")

    def __init__(self, frame: Frame, order: list[tuple[int, Entry]]) -> None:
        self._frame = frame
        self._order = deque(order)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        #: Entries at which a branch gave up while the run had no other.
        self._unordered: list[Entry] = []
        self._looking = False
        self._look_after_s = _FIRST_LOOK_S

    def __bool__(self) -> bool:
        """Whether the run may still be told something by its journal."""
        return bool(self._waiting)

    async def take(self, entry: Entry) -> None:
        """Wait until it is this entry's turn."""
        if entry.done is None or not self._order:
            return
        await self._wait(entry)

    async def give_up(self, entry: Entry) -> None:
        """The branch gave up here: wait until it does so again, however long that is."""
        if entry.done is None:
            self._unordered.append(entry)
        try:
            await self._wait(entry)
        except asyncio.CancelledError:
            if entry in self._unordered:
                self._unordered.remove(entry)
            self._order = deque(turn for turn in self._order if turn[1] is not entry)
            self._look_soon()
            raise

    async def _wait(self, entry: Entry) -> None:
        frame = self._frame
        task = asyncio.current_task()
        assert task is not None
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[entry.key] = mine
        frame.scope.blocked.add(task)
        self._look_soon()
        try:
            await mine
        finally:
            frame.scope.blocked.discard(task)
            self._waiting.pop(entry.key, None)

    def raise_in_all(self, signal: BaseException) -> None:
        """The run is unwound."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(signal)

    def _look_soon(self) -> None:
        self._look_after_s = _FIRST_LOOK_S
        if not self._looking:
            self._looking = True
            asyncio.get_running_loop().call_soon(self._look, context=_OUTSIDE)

    def _look(self) -> None:
        self._looking = False
        frame = self._frame
        if not self._waiting or frame.lost or frame.done:
            return
        if not frame.scope.is_waiting():
            self._looking = True
            # Most branches go on at once; one that waits for the world is looked after at growing distances.
            frame.worker.loop.loop.call_later(self._look_after_s, self._look, context=_OUTSIDE)
            self._look_after_s = min(_LONGEST_LOOK_S, self._look_after_s * 2)
            return
        if self._unordered:
            self._call_timer(self._unordered[0])
            return
        if not self._order:
            return
        _, entry = self._order[0]
        waiting = self._waiting.get(entry.key)
        if waiting is None:
            others = ", ".join(sorted(self._waiting))
            expected = f"{entry.kind} {entry.target!r}"
            frame.mismatch(JournalMismatch(entry.key, expected, f"branches that wait for {others}"))
            return
        if entry.status == "left":
            self._call_timer(entry)
            return
        self._order.popleft()
        if not waiting.done():
            waiting.set_result(None)
        self._look_soon()

    def _call_timer(self, entry: Entry) -> None:
        """Let the time go by until the run's next timer, which is to end the wait at `entry`."""
        frame = self._frame
        timers = [timer for timer in frame.scope.timers or () if not timer.cancelled()]
        if not timers:
            expected = f"{entry.kind} {entry.target!r} to be given up"
            frame.mismatch(JournalMismatch(entry.key, expected, "nothing that ends it"))
            return
        first = min(timers, key=lambda timer: timer.when())
        frame.scope.timers = [timer for timer in timers if timer is not first]
        loop = frame.worker.loop.loop
        if first.when() > loop.time():
            # asyncio has no other way to call a timer early.
            callback, arguments, context = first._callback, first._args, first._context  # type: ignore[attr-defined]
            first.cancel()
            loop.call_soon(callback, *arguments, context=context)
        self._look_soon()
