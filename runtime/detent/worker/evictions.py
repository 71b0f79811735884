"""Drops parked frames: those that wait for long, those beyond what memory is for, or, to prove replays, all of them.

A frame that is dropped unwinds; its run goes on cold, from its journal, on whichever worker claims it (C9).
"""

from __future__ import annotations

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TYPE_CHECKING

from .deadlines import Deadline, Deadlines

if TYPE_CHECKING:
    from .frame import Frame
    from .options import WorkerOptions

__all__ = ["Evictions"]


class Evictions:
    """The parked frames of one worker, those parked first in front.

    Parameters:
      options: how many frames stay, for how long, and whether any stay at all.
      deadlines: calls when the next has been parked for long enough.
      evict: drops a frame, unless it was taken up again meanwhile.
    """

    def __init__(self, options: WorkerOptions, deadlines: Deadlines, evict: Callable[[Frame], object]) -> None:
        self._options = options
        self._deadlines = deadlines
        self._evict = evict
        self._lock = threading.Lock()
        self._coroutines: OrderedDict[str, Frame] = OrderedDict()
        self._threads: OrderedDict[str, Frame] = OrderedDict()
        self._deadline: Deadline | None = None
        mode, _, seed = options.replay.partition(":")
        self._always = mode == "always"
        self._coin = random.Random(seed or None) if mode == "random" else None  # noqa: S311  # it guards nothing

    def parked(self, frame: Frame) -> None:
        """A frame was parked."""
        if self._always or (self._coin is not None and self._coin.random() < 0.5):
            self._evict(frame)
            return
        parked, most = self._like(frame)
        surplus: list[Frame] = []
        with self._lock:
            frame.parked_at = time.monotonic()
            parked[frame.name] = frame
            while len(parked) > most:
                surplus.append(parked.popitem(last=False)[1])
            if self._deadline is None:
                self._deadline = self._deadlines.after(self._options.parked_s, self._sweep)
        for one in surplus:
            self._evict(one)

    def left(self, frame: Frame) -> None:
        """A frame is not parked any more."""
        parked, _ = self._like(frame)
        with self._lock:
            if parked.get(frame.name) is frame:
                del parked[frame.name]

    def _sweep(self) -> None:
        now = time.monotonic()
        old: list[Frame] = []
        with self._lock:
            self._deadline = None
            for parked in (self._coroutines, self._threads):
                while parked:
                    frame = next(iter(parked.values()))
                    left = frame.parked_at + self._options.parked_s - now
                    if left > 0:
                        # Of two, the earlier one leads to the later one.
                        if self._deadline is None:
                            self._deadline = self._deadlines.after(left, self._sweep)
                        break
                    parked.popitem(last=False)
                    old.append(frame)
        for frame in old:
            self._evict(frame)

    def _like(self, frame: Frame) -> tuple[OrderedDict[str, Frame], int]:
        if frame.task.is_async:
            return self._coroutines, self._options.parked_coroutines
        return self._threads, self._options.parked_threads
