"""Time limits of runs, and stopping runs that are cancelled or have used their time."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

from ..model.protocol import DutyDone, Finish
from .deadlines import Deadlines
from .frame import Frame, Stop
from .run_threads import raise_in_thread
from .signals import LeaseLost, Stopped

if TYPE_CHECKING:
    from .worker import Worker

__all__ = ["Stops"]

#: How long the hooks of a stopped run may take once its own code has ended, in seconds.
_HOOKS_S = 20.0
#: How long the hooks of a run that ended without its code may take, in seconds.
DUTY_S = 60.0


class Stops:
    """Stops async runs at their next ``await`` and plain runs at their next bytecode.

    A run that does not stop within the grace, say in a system call or because it swallows the signal, is reported
    stopped without it: from then on it can write nothing.
    """

    def __init__(self, worker: Worker, deadlines: Deadlines, grace_s: float) -> None:
        self._worker = worker
        self._deadlines = deadlines
        self._grace_s = grace_s

    def start_clock(self, frame: Frame, used_ms: int) -> None:
        """The run executes from now on; before its waits it had executed for `used_ms`."""
        if frame.grant.duty:
            frame.deadline = self._deadlines.after(DUTY_S, lambda: self._drop_duty(frame))
            return
        limit = self._worker.max_duration_of(frame.task, frame.grant)
        if limit is None:
            return
        stop = Stop("TIMED_OUT", f"the attempt used more than its max_duration of {limit / 1000:g} s")
        if used_ms < limit:
            frame.deadline = self._deadlines.after((limit - used_ms) / 1000, lambda: self.stop(frame, stop))
        elif frame.told_to_stop(stop):
            # Before its code goes on, which may come to the next wait, or to its end, before the thread of a deadline.
            if frame.task.is_async:
                self._cancel(frame)
            else:
                frame.reach.interrupt(Stopped)
            self._deadlines.after(self._grace_s, lambda: self._give_up(frame))

    def stop_clock(self, frame: Frame) -> None:
        """The run waits, or has ended."""
        deadline, frame.deadline = frame.deadline, None
        if deadline is not None:
            self._deadlines.cancel(deadline)

    def stop(self, frame: Frame, stop: Stop) -> None:
        """Stop a run, unless it is being stopped already."""
        if frame.done or not frame.told_to_stop(stop):
            return
        if frame.task.is_async:
            self._cancel(frame)
        else:
            frame.interrupt(Stopped)
        self._deadlines.after(self._grace_s, lambda: self._give_up(frame))

    def _drop_duty(self, frame: Frame) -> None:
        if frame.done:
            return
        frame.log("warn", f"the hooks took more than {DUTY_S:g} s; they were left behind", None, "detent")
        self._worker.report_without(frame, DutyDone(frame.run_id, frame.epoch))
        main = frame.main
        if main is None:
            frame.interrupt(LeaseLost)
        else:
            self._worker.loop.post(lambda: _let_go(main))

    def _cancel(self, frame: Frame) -> None:
        turned = threading.Event()

        def cancel() -> None:
            turned.set()
            # The task was made in the same turn of the loop as the frame.
            frame.cancel_main()
            frame.wake_threads(Stopped)

        def press() -> None:
            """The loop has not turned since: a run that never awaits is raised in like a plain one."""
            loop_id = self._worker.loop.thread.ident
            if not turned.is_set() and loop_id is not None and self._worker.blocking_frame() is frame:
                raise_in_thread(loop_id, Stopped)

        self._worker.loop.post(cancel)
        self._deadlines.after(self._grace_s / 2, press)

    def _give_up(self, frame: Frame, hooks_had_time: bool = False) -> None:
        if frame.done or frame.stop is None:
            return
        if frame.unwound and not hooks_had_time:
            self._deadlines.after(_HOOKS_S, lambda: self._give_up(frame, True))
            self._worker.on_hooks()
            return
        what = "hooks" if frame.unwound else "code"
        frame.log("warn", f"the run was told to stop, but its {what} went on; it was left behind", None, "detent")
        self._worker.report_without(
            frame, Finish(frame.run_id, frame.epoch, frame.stop.status, error=frame.stop.error(), unattended=True)
        )


def _let_go(main: asyncio.Task[None]) -> None:
    main.cancel()
