"""Blocks under ``retry``: their results are in the journal where they are plain data."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from ..model import json_text
from ..model.limits import INLINE_BYTES
from ..model.protocol import Record
from ..sdk.current import current_step

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["Retried"]

_DEEPEST = 20


class Retried:
    """One block of a run. Implements `sdk.current.RetriedBlock`.

    Its result is recorded for a crash in the same attempt; a later attempt makes the block again. A block in which
    something else was recorded (a step, a trigger) is not, since those are found by themselves.
    """

    __slots__ = ("_frame", "_mark", "_name", "recorded")

    def __init__(self, frame: Frame, name: str) -> None:
        self._frame = frame
        self._name = f"retry:{name}"
        self.recorded: str | None = None
        self._mark = -1
        frame.check()
        if current_step.get() is not None or not frame.is_home():
            return
        if frame.journal.expects("retry", self._name):
            place = frame.begin("retry", self._name, "", ordered=True)
            self.recorded = None if place.entry is None else place.entry.value
        elif not frame.journal.is_replaying():
            self._mark = frame.journal.seq

    async def keep(self, value: Any) -> None:
        """Record `value`."""
        record = self._record(value)
        if record is not None:
            await self._frame.calls.say(record)

    def keep_sync(self, value: Any) -> None:
        """`keep`, on a thread."""
        record = self._record(value)
        if record is not None:
            self._frame.calls.say_sync(record)

    def _record(self, value: Any) -> Record | None:
        frame = self._frame
        if current_step.get() is not None or not frame.is_home():
            return None
        text = json_text.encode(value, "value") if self._mark == frame.journal.seq and _is_plain(value) else None
        if text is None or len(text) * 4 > INLINE_BYTES:
            frame.skip(self._name)
            return None
        place = frame.begin("retry", self._name, "", ordered=True)
        return Record(frame.run_id, frame.epoch, [place.made(value=text)])


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Whether `value` is JSON data that comes back as it is."""
    kind = type(value)
    if value is None or kind in (str, bool, int):
        return True
    if kind is float:
        return math.isfinite(value)
    if depth > _DEEPEST:
        return False
    if kind is list:
        return all(_is_plain(part, depth + 1) for part in value)
    if kind is dict:
        return all(type(key) is str and _is_plain(part, depth + 1) for key, part in value.items())
    return False
