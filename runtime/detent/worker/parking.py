"""Parks an async run of several branches once none of them can go on."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model.protocol import Answer, Failure, Park, Parked, RunResult

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Parking"]

#: A run that does not wait in all of its branches is looked at again after so many seconds.
_FIRST_LOOK_S, _LONGEST_LOOK_S = 0.005, 0.5


class Parking:
    """Watches the branches of one run while some of them wait. On the loop's thread."""

    def __init__(self, frame: Frame) -> None:
        self._frame = frame
        self._asking = False
        self._look_again: asyncio.TimerHandle | None = None
        self._look_after_s = _FIRST_LOOK_S

    async def wait(self, waiter: asyncio.Future[list[RunResult]], at_home: bool) -> list[RunResult]:
        """Wait in one branch; the run parks, unless the branch is on a loop of its own (not `at_home`)."""
        frame = self._frame
        task = asyncio.current_task()
        assert task is not None
        frame.scope.blocked.add(task)
        try:
            if at_home and not frame.parked and not waiter.done():
                self._look_after_s = _FIRST_LOOK_S
                frame.scope.on_end = self._park_if_waiting
                asyncio.get_running_loop().call_soon(self._park_if_waiting)
            return await waiter
        finally:
            frame.scope.blocked.discard(task)

    def _park_if_waiting(self) -> None:
        frame = self._frame
        if self._look_again is not None:
            self._look_again.cancel()
            self._look_again = None
        if self._asking or frame.parked or frame.done or frame.lost:
            return
        keys = frame.waits.unsatisfied()
        if not keys:
            return
        if not frame.scope.is_waiting() or len(keys) != len(frame.waits):
            # No event tells that a branch went from work to waiting for another one, so it is looked at again.
            self._look_again = frame.worker.loop.loop.call_later(self._look_after_s, self._park_if_waiting)
            self._look_after_s = min(_LONGEST_LOOK_S, self._look_after_s * 2)
            return

        self._asking = True

        def take(answer: Answer) -> None:
            frame.worker.loop.post(lambda: self._answered(answer))

        frame.worker.link.send([*frame.notes(), (Park(frame.run_id, frame.epoch, keys), take)])

    def _answered(self, answer: Answer) -> None:
        frame = self._frame
        self._asking = False
        if isinstance(answer, Failure):
            if answer.code == "lease_lost":
                frame.lose()
            return
        assert isinstance(answer, Parked)
        if answer.parked:
            frame.worker.park(frame)
        for result in answer.results:
            frame.waits.deliver(result)
