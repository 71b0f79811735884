"""Schedules: each slot that is due gets its run."""

from __future__ import annotations

from ...store import Store
from ..clock import Clock
from ..schedules import pass_slots, plan_passing
from .loop import Loop, Write

__all__ = ["BATCH", "Schedules"]

#: Schedules that pass a slot in one transaction.
BATCH = 100
#: Another server may have made a schedule, and a machine may have been asleep: the loop looks this often, in
#: milliseconds.
_LONGEST_SLEEP_MS = 60_000


class Schedules(Loop):
    """Passes the slots that are due, and sleeps until the next one."""

    def __init__(self, write: Write, store: Store, clock: Clock) -> None:
        super().__init__("schedules")
        self._write = write
        self._store = store
        self._clock = clock

    def sweep(self) -> int | None:
        """Pass all slots that are due now, in batches between which others write; when the next one is due
        (milliseconds since 1970), or None."""
        while self._pass_batch() == BATCH:
            pass
        return self.next_slot()

    def next_slot(self) -> int | None:
        """When the next slot is due, in milliseconds since 1970, or None."""
        at: int | None = self._store.read("next_slot")[0]["at"]
        return at

    def _pass_batch(self) -> int:
        now = self._clock.now()
        rows = self._store.read("due_schedules", now=now, n=BATCH)
        if rows:
            # Times are worked out before the transaction, so that it holds nobody up.
            passings = [plan_passing(row, now) for row in rows]
            self._write(lambda scene: pass_slots(scene, passings), yields=True, verb="schedules")
        return len(rows)

    def _tick(self) -> int | None:
        due = self.sweep()
        if due is None:
            return _LONGEST_SLEEP_MS
        return min(_LONGEST_SLEEP_MS, max(0, due - self._clock.now()))
