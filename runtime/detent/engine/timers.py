"""Timers live in SQL: delays and backoffs, ttls, waitpoints, preferences for a worker, cancels that were not obeyed."""

from __future__ import annotations

from ..model.task_error import TaskError
from ..store import Store
from .cancel import CANCEL_GRACE_MS, force_overdue_cancels
from .finish import end_run
from .scene import Scene
from .waitpoints import expire_waitpoints

__all__ = ["next_due", "sweep_timers"]

#: Timers handled in one transaction, so that a herd of them does not hold up triggers.
BATCH = 500


def sweep_timers(scene: Scene) -> int:
    """Do what is due now; how many runs and waitpoints were changed. Sweeping again changes nothing."""
    rows = scene.tx.all("queue_due", now=scene.now, n=BATCH)
    for row in rows:
        scene.record("due", row, "QUEUED")
        scene.bell.queued(row["env"], row["task"])
    reserved = scene.tx.all("unreserve", now=scene.now, n=BATCH)
    for row in reserved:
        scene.bell.queued(row["env"], row["task"])
    expired = scene.tx.all("list_expired", now=scene.now, n=BATCH)
    for row in expired:
        error = TaskError("RunExpired", "no worker started the run within its ttl", code="expired")
        end_run(scene, row["id"], "QUEUED", "EXPIRED", error)
    satisfied = expire_waitpoints(scene, BATCH)
    return len(rows) + len(reserved) + len(expired) + satisfied + force_overdue_cancels(scene)


def next_due(store: Store) -> int | None:
    """When the next timer is due, in milliseconds since 1970."""
    at: int | None = store.read("next_due", grace=CANCEL_GRACE_MS)[0]["at"]
    return at
