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
    from .journal import Place

__all__ = ["Turns"]

#: A run that is not at rest is looked at again after so many seconds.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.001, 0.25


class Turns:
    """The order of one run. On the loop's thread.

    A branch waits for its turn; the next turn comes when no branch can go on without being told something. Where the
    next thing that happened was that a branch gave up (a time-out), the run's earliest timer is called now: what it
    waited for then is not sat out again.
    """

    __slots__ = ("_frame", "_late", "_look_after_s", "_looking", "_order", "_unordered", "_waiting")

    def __init__(self, frame: Frame, order: list[tuple[int, Entry]]) -> None:
        self._frame = frame
        self._order = deque(order)
        self._waiting: dict[str, asyncio.Future[None]] = {}
        #: Keys of what the run was not told before.
        self._late: deque[str] = deque()
        #: Entries at which a branch gave up while the run had no other.
        self._unordered: list[Entry] = []
        self._looking = False
        self._look_after_s = _FIRST_LOOK_S

    def __bool__(self) -> bool:
        """Whether the run may still be told something by its journal."""
        return bool(self._waiting)

    async def take(self, place: Place) -> None:
        """Wait until it is this place's turn. What the run was not told before comes after all that it was told."""
        if not self._order and not self._late:
            return
        if place.entry is None or place.entry.done is None:
            if place.entry is not None and self._frame.journal.was_told(place.entry):
                return
            self._late.append(place.key)
        await self._wait(place.key)

    async def give_up(self, entry: Entry) -> None:
        """The branch gave up here: wait until it does so again, however long that is."""
        if entry.done is None:
            self._unordered.append(entry)
        try:
            await self._wait(entry.key)
        except asyncio.CancelledError:
            if entry in self._unordered:
                self._unordered.remove(entry)
            self._order = deque(turn for turn in self._order if turn[1] is not entry)
            self._look_soon()
            raise

    async def _wait(self, key: str) -> None:
        frame = self._frame
        task = asyncio.current_task()
        assert task is not None
        mine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[key] = mine
        frame.scope.blocked.add(task)
        self._look_soon()
        try:
            await mine
        finally:
            frame.scope.blocked.discard(task)
            self._waiting.pop(key, None)

    def raise_in_all(self, signal: BaseException) -> None:
        """The run is unwound."""
        for waiting in self._waiting.values():
            if not waiting.done():
                waiting.set_exception(signal)

    def _look_soon(self) -> None:
        self._look_after_s = _FIRST_LOOK_S
        if not self._looking:
            self._looking = True
            # In an empty context: timers of ours are none of the run's.
            asyncio.get_running_loop().call_soon(self._look, context=Context())

    def _look(self) -> None:
        self._looking = False
        frame = self._frame
        if not self._waiting or frame.lost or frame.done:
            return
        if not frame.scope.is_waiting(frame.worker.loop.loop):
            self._looking = True
            # Most branches go on at once; one that waits for the world is looked after at growing distances.
            frame.worker.loop.loop.call_later(self._look_after_s, self._look, context=Context())
            self._look_after_s = min(_LONGEST_LOOK_S, self._look_after_s * 2)
            return
        if self._unordered:
            self._call_timer(self._unordered[0])
            return
        if not self._order:
            # What came while the run was away is told together, as to a run that is parked.
            late, self._late = sorted(self._late), deque()
            for key in late:
                self._tell(key)
            return
        _, entry = self._order[0]
        if entry.key not in self._waiting:
            others = ", ".join(sorted(self._waiting))
            expected = f"{entry.kind} {entry.target!r}"
            frame.mismatch(JournalMismatch(entry.key, expected, f"branches that wait for {others}"))
            return
        if entry.status == "left":
            self._call_timer(entry)
            return
        number, _ = self._order.popleft()
        self._tell(entry.key)
        # What came in the same turn of the loop comes so again.
        while self._order and self._order[0][0] == number + 1 and self._order[0][1].key in self._waiting:
            if self._order[0][1].status == "left":
                break
            number, entry = self._order.popleft()
            self._tell(entry.key)

    def _tell(self, key: str) -> None:
        waiting = self._waiting.get(key)
        if waiting is not None and not waiting.done():
            waiting.set_result(None)
        self._look_soon()

    def _call_timer(self, entry: Entry) -> None:
        """Let the time go by until the run's next timer, which is to end the wait at `entry`."""
        if not self._frame.scope.call_timer():
            expected = f"{entry.kind} {entry.target!r} to be given up"
            self._frame.mismatch(JournalMismatch(entry.key, expected, "nothing that ends it"))
            return
        self._look_soon()
