"""Durable waits of a run for moments and tokens."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from ..model.protocol import Wait, WaitResult
from ..sdk.context import WaitInfo
from ..sdk.current import WaitFor
from .journal import Place

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Moments"]


class Moments:
    """The waits of one run that are not for its children."""

    __slots__ = ("_frame",)

    def __init__(self, frame: Frame) -> None:
        self._frame = frame

    async def wait(self, wanted: WaitFor) -> WaitResult:
        """See `sdk.current.ActiveRun.wait`."""
        frame = self._frame
        at_home = asyncio.get_running_loop() is frame.worker.loop.loop
        place = self._begin(wanted, at_home)
        if place.entry is not None and place.entry.status == "left" and frame.turns is not None:
            await frame.turns.give_up(place.entry)
        if (refusal := place.refusal()) is not None:
            await frame.told(place, at_home)
            raise refusal
        result = self._recorded(place)
        if result is None:
            await frame.before_wait(place, _info(place))
            waiting = frame.calls.wait(self._request(place, wanted), place)
            del wanted  # all that is here stays in memory while the run waits
            _, result = await waiting
        await frame.told(place, at_home)
        await frame.after_wait(_info(place))
        if result.output_ref is not None:
            result.output = await asyncio.to_thread(frame.worker.large_texts.get, result.output_ref)
        return result

    def wait_sync(self, wanted: WaitFor) -> WaitResult:
        """See `sdk.current.ActiveRun.wait_sync`."""
        frame = self._frame
        with frame.reach.inside():
            place = self._begin(wanted, frame.reach.is_here())
        info = WaitInfo(wanted.kind, place.key, wanted.target)
        if (refusal := place.refusal()) is not None:
            raise refusal
        result = self._recorded(place)
        if result is None:
            frame.before_wait_sync(place, info)
            _, result = frame.calls.wait_sync(self._request(place, wanted), place)
        frame.after_wait_sync(info)
        if result.output_ref is not None:
            result.output = frame.worker.large_texts.get(result.output_ref)
        return result

    def _begin(self, wanted: WaitFor, at_home: bool) -> Place:
        return self._frame.begin(wanted.kind, wanted.name, wanted.target, ordered=at_home, waits=wanted.what)

    def _recorded(self, place: Place) -> WaitResult | None:
        entry = place.entry
        if entry is None or entry.status not in ("ok", "error"):
            return None
        status = "COMPLETED" if entry.status == "ok" else "TIMED_OUT"
        return WaitResult(place.key, [], status, entry.value, entry.value_ref)

    def _request(self, place: Place, wanted: WaitFor) -> Wait:
        frame = self._frame
        return Wait(
            frame.run_id,
            frame.epoch,
            place.key,
            place.seq,
            wanted.kind,
            wanted.target,
            wanted.for_ms,
            wanted.until,
            list(wanted.tags),
            wanted.idempotency_key,
            wanted.idempotency_ttl_ms,
        )


def _info(place: Place) -> WaitInfo:
    return WaitInfo(place.kind, place.key, place.target)
