"""Words for runs whose grant is still under way: the engine pushes them beside its answers, so they may be quicker."""

from __future__ import annotations

import threading

from ..model.protocol import CancelPush, SatisfiedPush
from .frame import Frame

__all__ = ["EarlyPushes"]

#: More runs than this are not kept.
_MOST = 256


class EarlyPushes:
    """Keeps a push until the run that it is for is here.

    Parameters:
      frames: the runs that are here, by id.
      lock: held while a push is kept or taken.
    """

    def __init__(self, frames: dict[str, Frame], lock: threading.Lock) -> None:
        self._frames = frames
        self._lock = lock
        self._kept: dict[str, list[SatisfiedPush | CancelPush]] = {}

    def addressee(self, push: SatisfiedPush | CancelPush) -> Frame | None:
        """The frame that `push` is for. It may be quicker than the grant of its run: then it is kept."""
        with self._lock:
            frame = self._frames.get(push.run_id)
            if frame is None or frame.epoch < push.epoch:
                if len(self._kept) >= _MOST:
                    del self._kept[next(iter(self._kept))]
                self._kept.setdefault(push.run_id, []).append(push)
                return None
        return frame if frame.epoch == push.epoch else None

    def take(self, name: str) -> list[SatisfiedPush | CancelPush]:
        """What came for a run before its grant; see `Grant.name`."""
        with self._lock:
            return self._kept.pop(name, [])
