"""The heart of a worker: beats from an OS thread that user code cannot starve, polls, and watches the event loop."""

from __future__ import annotations

import logging
import random
import threading
import time
from typing import TYPE_CHECKING

from ..model.protocol import Answer, Beat, Failure, Welcome

if TYPE_CHECKING:
    from .worker import Worker

__all__ = ["Heart"]

logger = logging.getLogger("detent.worker")

#: The event loop counts as blocked when it has not turned for this long, in seconds.
_BLOCKED_S = 2.0
#: How often the loop is asked to turn while something executes, in seconds.
_PULSE_S = 1.0


class Heart:
    """One thread: beat, poll, pulse."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._stopped = threading.Event()
        self._turned_at = time.monotonic()
        self._asked_at: float | None = None
        self._beat_s = 5.0
        #: When the engine last answered a beat, and for how long after that the lease is beyond doubt, in seconds.
        self._heard_at = time.monotonic()
        self._sure_s = 30.0
        #: Whether the loop has not turned for too long; no async run is claimed then.
        self.blocked = False
        self._warned: set[str] = set()
        self._shared = False

    def start(self, welcome: Welcome) -> None:
        self._beat_s = welcome.beat_ms / 1000
        self._shared = welcome.shared
        self._sure_s = welcome.lease_ms / 1000 * 2 / 3
        self._heard_at = time.monotonic()
        threading.Thread(target=self._run, name="detent-heart", daemon=True).start()

    def stop(self) -> None:
        self._stopped.set()

    def is_sure(self) -> bool:
        """Whether the engine has answered lately enough that this worker holds its runs (self-fencing, C3)."""
        return time.monotonic() - self._heard_at < self._sure_s

    def _run(self) -> None:
        poll_s = self._worker.options.poll_s
        now = time.monotonic()
        next_beat = now + self._beat_s
        next_poll = _next_poll(now, poll_s)
        next_pulse = now + _PULSE_S
        while not self._stopped.wait(max(0.0, min(next_beat, next_poll, next_pulse) - time.monotonic())):
            now = time.monotonic()
            if now >= next_pulse:
                self._pulse(now)
                next_pulse = now + _PULSE_S
            if now >= next_beat:
                self._beat(now)
                next_beat = now + self._beat_s
            if now >= next_poll:
                next_poll = _next_poll(now, poll_s)
                self._worker.ring(sync=True)

    def _beat(self, now: float) -> None:
        lag = 0 if self._asked_at is None else int((now - self._asked_at) * 1000)
        blocking = self._worker.blocking_frame() if self.blocked else None
        if self._shared:
            self._worker.watch_again()
        self._worker.link.send([(Beat(lag, None if blocking is None else blocking.run_id), self._beaten)])

    def _beaten(self, answer: Answer) -> None:
        if isinstance(answer, Failure) and answer.code == "lease_lost":
            self._worker.abandon(answer.message)
        else:
            self._heard_at = time.monotonic()

    def _pulse(self, now: float) -> None:
        if self._asked_at is None:
            self._asked_at = now
            self._worker.loop.post(self._turned)
        elif now - self._asked_at > _BLOCKED_S:
            self.blocked = True
            self._warn(now - self._asked_at)

    def _turned(self) -> None:
        self._asked_at = None
        if self.blocked:
            self.blocked = False
            self._worker.ring(sync=False)

    def _warn(self, seconds: float) -> None:
        frame = self._worker.blocking_frame()
        if frame is None or frame.run_id in self._warned:
            return
        self._warned.add(frame.run_id)
        text = (
            f"task {frame.task.id!r} has blocked the event loop for {seconds:.0f} s, so no other async run of this "
            "process goes on; await instead of blocking, use asyncio.to_thread, or make the task a plain def"
        )
        logger.warning("%s (run %s)", text, frame.run_id)
        frame.log("warn", text, None, "detent")


def _next_poll(now: float, poll_s: float | None) -> float:
    # Jitter keeps many workers from asking at the same moment.
    return float("inf") if poll_s is None else now + poll_s * random.uniform(0.67, 1.33)  # noqa: S311
