"""Runs that a run starts: triggered under its journal, and waited for where it wants their results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..model.ids import derived_id
from ..model.protocol import Handle, NewRun, RunResult, Trigger, Triggered
from ..sdk.context import WaitInfo
from .journal import Place

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Children"]

Started = tuple[list[Handle], list[RunResult]]


class Children:
    """The children of one run."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def trigger(self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None) -> Started:
        """See `sdk.current.ActiveRun.trigger`."""
        frame = self._frame
        at_home = asyncio.get_running_loop() is frame.worker.loop.loop
        place = self._begin(runs, at_home, wait=wait)
        batch_id = self._named(place, runs, batch_id)
        texts = frame.worker.large_texts
        if wait and place.entry is not None and place.entry.status == "left" and frame.turns is not None:
            await frame.turns.give_up(place.entry)
        if (refusal := place.refusal()) is not None:
            await frame.told(place, at_home)
            raise refusal
        request = self._request(place, await texts.offloaded(runs, frame.run_id), wait, batch_id)
        if wait:
            info = WaitInfo("children", place.key, place.target)
            await frame.before_wait(place, info)
            answer, result = await frame.calls.wait(request, place)
            results = await texts.loaded(result.runs)
        else:
            answer, results = await frame.calls.say(request, place), []
        await frame.told(place, at_home)
        if wait:
            await frame.after_wait(info)
        assert isinstance(answer, Triggered)
        return answer.handles, results

    def trigger_sync(self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None) -> Started:
        """See `sdk.current.ActiveRun.trigger_sync`."""
        frame = self._frame
        with frame.reach.inside():
            place = self._begin(runs, frame.reach.is_here(), wait=wait)
            if (refusal := place.refusal()) is not None:
                raise refusal
            batch_id = self._named(place, runs, batch_id)
            request = self._request(place, frame.worker.large_texts.offload(runs, frame.run_id), wait, batch_id)
        if not wait:
            answer = frame.calls.say_sync(request, place)
            assert isinstance(answer, Triggered)
            return answer.handles, []
        info = WaitInfo("children", place.key, place.target)
        frame.before_wait_sync(place, info)
        answer, result = frame.calls.wait_sync(request, place)
        frame.after_wait_sync(info)
        assert isinstance(answer, Triggered)
        return answer.handles, frame.worker.large_texts.load(result.runs)

    def _begin(self, runs: Sequence[NewRun], at_home: bool, *, wait: bool) -> Place:
        target = ",".join(sorted({run.task for run in runs}))
        what = "a trigger that waits" if wait else None
        return self._frame.begin("trigger", "trigger", target, ordered=at_home, waits=what)

    def _named(self, place: Place, runs: Sequence[NewRun], batch_id: str | None) -> str | None:
        """The id of the batch: the same when the run is executed again, so that there is one batch and not two."""
        if batch_id is None:
            return None
        frame = self._frame
        derived = derived_id("batch", frame.run_id, place.key, 0, frame.grant.attempt)
        for run in runs:
            run.batch_id = derived
        return derived

    def _request(self, place: Place, runs: list[NewRun], wait: bool, batch_id: str | None) -> Trigger:
        frame = self._frame
        return Trigger(frame.run_id, frame.epoch, place.key, runs, wait, batch_id=batch_id, seq=place.seq)
