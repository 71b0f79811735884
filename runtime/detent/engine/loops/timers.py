"""Timers live in SQL: delays and backoffs, ttls, waitpoints, preferences for a worker, cancels that were not
obeyed."""

from __future__ import annotations

from collections.abc import Callable

from ...model.task_error import TaskError
from ...store import Store
from ..cancel import CANCEL_GRACE_MS, force_overdue_cancels
from ..clock import Clock
from ..finish import end_run
from ..queues import end_overrides
from ..satisfy import reach_moments
from ..scene import Scene
from ..waitpoints import expire_waitpoints
from .loop import Loop, Write

__all__ = ["BATCH", "SWEEPS", "Timers", "sweep_timers"]

#: Timers handled in one transaction, so that a herd of them does not hold up triggers.
BATCH = 500
#: A machine that was asleep may have slept through a timer, so the loop looks this often, in milliseconds.
_LONGEST_SLEEP_MS = 60_000


class Timers(Loop):
    """Does what is due, and sleeps until the next timer."""

    def __init__(self, write: Write, store: Store, clock: Clock) -> None:
        super().__init__("timers")
        self._write = write
        self._store = store
        self._clock = clock
        #: When the loop wakes by itself; 0 while it is awake.
        self._sleeps_until = 0

    def sweep(self) -> int | None:
        """Do all that is due now, in batches between which others write; when the next timer is due (milliseconds
        since 1970), or None."""
        while self._write(sweep_timers, yields=True, verb="timers"):
            pass
        return self.next_due()

    def next_due(self) -> int | None:
        """When the next timer is due, in milliseconds since 1970, or None."""
        at: int | None = self._store.read("next_due", grace=CANCEL_GRACE_MS)[0]["at"]
        return at

    def set_to(self, at: int) -> None:
        """A timer was set to `at`: the loop sleeps no longer than that."""
        if not self._sleeps_until or at < self._sleeps_until:
            self.wake()

    def _tick(self) -> int | None:
        self._sleeps_until = 0
        due = self.sweep()
        if due is None:
            due = self._clock.now() + _LONGEST_SLEEP_MS
        self._sleeps_until = due
        return min(_LONGEST_SLEEP_MS, max(0, due - self._clock.now()))


def sweep_timers(scene: Scene) -> int:
    """Do one batch of what is due now; how many timers went off. Sweeping again changes nothing."""
    room = BATCH
    for sweep in SWEEPS:
        room -= sweep(scene, room)
        if not room:
            break
    return BATCH - room


def _end_delays(scene: Scene, most: int) -> int:
    """DELAYED → QUEUED: delays of new runs, and backoffs before another attempt."""
    rows = scene.tx.all("queue_due", now=scene.now, n=most)
    for row in rows:
        scene.record("due", row, "QUEUED")
        scene.bell.queued(row["env"], row["task"])
    return len(rows)


def _end_reservations(scene: Scene, most: int) -> int:
    """Runs that their own worker did not fetch in time are anybody's."""
    rows = scene.tx.all("unreserve", now=scene.now, n=most)
    for row in rows:
        scene.bell.queued(row["env"], row["task"])
    return len(rows)


def _expire(scene: Scene, most: int) -> int:
    """QUEUED → EXPIRED: nobody began the run within its ttl."""
    rows = scene.tx.all("list_expired", now=scene.now, n=most)
    for row in rows:
        error = TaskError("RunExpired", "no worker started the run within its ttl", code="expired")
        end_run(scene, row["id"], "QUEUED", "EXPIRED", error)
    return len(rows)


#: Every kind of timer: does at most so many that are due, and says how many it did.
SWEEPS: tuple[Callable[[Scene, int], int], ...] = (
    _end_delays,
    _end_reservations,
    _expire,
    reach_moments,
    expire_waitpoints,
    end_overrides,
    force_overdue_cancels,
)
