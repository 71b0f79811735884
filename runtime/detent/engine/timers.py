"""Timers live in SQL: delays and backoffs that are due, ttls that have run out, cancels that were not obeyed."""

from __future__ import annotations

from ..model.task_error import TaskError
from .cancel import CANCEL_GRACE_MS, force_overdue_cancels
from .finish import end_run
from .scene import Scene

__all__ = ["next_due", "sweep_timers"]

#: Timers handled in one transaction, so that a herd of them does not hold up triggers.
BATCH = 500


def sweep_timers(scene: Scene) -> int:
    """Do what is due now; how many runs were changed. Sweeping again changes nothing."""
    rows = scene.tx.all("queue_due", now=scene.now, n=BATCH)
    for row in rows:
        scene.record("due", row["id"], "QUEUED", row["epoch"], row["attempt"])
        scene.bell.queued(row["env"], row["task"])
    expired = scene.tx.all("list_expired", now=scene.now, n=BATCH)
    for row in expired:
        error = TaskError("RunExpired", "no worker started the run within its ttl", code="expired")
        end_run(scene, row["id"], "QUEUED", "EXPIRED", error)
    return len(rows) + len(expired) + force_overdue_cancels(scene)


def next_due(scene: Scene) -> int | None:
    """When the next timer is due, in milliseconds since 1970."""
    row = scene.tx.one("next_due", grace=CANCEL_GRACE_MS)
    return None if row is None else row["at"]
