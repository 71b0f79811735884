"""The life of a cell: a worker process that executes the one run that its parent hands to it."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from functools import partial
from typing import NoReturn

import msgspec

from ..model.protocol import Grant
from .frame import Frame, Stop
from .life import Life, end
from .link import Exchange
from .worker import Worker

__all__ = ["CellLife"]

#: How long code that was evicted or has lost its run may take to unwind, in seconds.
_UNWINDING_S = 5.0
#: How often to look whether the run is over, if nobody says so, in seconds.
_LOOK_S = 0.5


class CellLife(Life):
    """Waits for a run, executes it, and ends with it, or when it parks."""

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._changed = threading.Event()
        self._begun = False
        self._frame: Frame | None = None
        self._stop: Stop | None = None
        self._left_since: float | None = None
        super().__init__()

    def live(self, worker: Worker) -> NoReturn:
        self._worker = worker
        worker.on_idle = self._changed.set
        worker.on_hooks = partial(self.say, "hooks")
        self.begin(worker)
        while not self.is_leaving() and not self._is_over(worker):
            self._changed.wait(_LOOK_S)
            self._changed.clear()
        try:
            worker.drain(self.grace_s)
            self.say("over")
        finally:
            end(0)

    def leave(self, grace_s: float) -> None:
        super().leave(grace_s)
        self._changed.set()

    def on_term(self) -> None:
        """SIGTERM goes to all processes of a service; it is the parent's to say what becomes of its cells."""

    def heard(self, word: str, rest: str) -> None:
        worker = self._worker
        if worker is not None and word == "run":
            self._execute(worker, msgspec.json.decode(rest, type=Grant))
        elif worker is not None and word == "stop":
            self._stop = msgspec.json.decode(rest, type=Stop)
            self._stop_frame(worker)
        else:
            super().heard(word, rest)

    def _execute(self, worker: Worker, grant: Grant) -> None:
        worker.link.hold(grant.run_id, grant.epoch)

        def keep() -> None:
            # The run may be over already: then there is no frame, and nothing to wait for.
            self._frame = worker.frame_of(grant.run_id)
            if self._frame is not None:
                # A process is not kept for a run that waits: it is evicted as soon as it parks.
                self._frame.evicted = True
                self._stop_frame(worker)
            self._begun = True
            self._changed.set()

        if worker.is_async(grant):

            def start() -> None:
                worker.async_runs.start([grant])
                keep()

            worker.slots.take_async()
            worker.loop.post(start)
        else:
            ended: Future[list[Exchange]] = Future()
            ended.add_done_callback(lambda ended: worker.send(ended.result()))
            worker.slots.take_sync()
            worker.sync_runs.start(grant, ended)
            keep()

    def _stop_frame(self, worker: Worker) -> None:
        """Stop the run once both are here, the run and the word to stop it."""
        if self._frame is not None and self._stop is not None:
            worker.stops.stop(self._frame, self._stop)

    def _is_over(self, worker: Worker) -> bool:
        if not self._begun:
            return False
        frame = self._frame
        # `done` alone is too early: between it and what is then sent lies the moment in which nobody knows of the end.
        if frame is None or (frame.done and worker.frame_of(frame.run_id) is not frame):
            return not worker.endings.untold
        if frame.parked or frame.lost:
            self._left_since = self._left_since or time.monotonic()
            return time.monotonic() - self._left_since > _UNWINDING_S
        return False
