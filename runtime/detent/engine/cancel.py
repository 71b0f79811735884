"""Cancelling: a run and all that it started. What executes is told to stop; the rest ends at once."""

from __future__ import annotations

from ..errors import Conflict, NotFound
from ..model.protocol import CancelPush, EvictPush
from ..model.status import FINAL
from ..model.task_error import TaskError
from .finish import end_run
from .scene import Scene

__all__ = ["CANCEL_GRACE_MS", "cancel_run", "force_overdue_cancels"]

#: How long a run may take to stop after it was told to, in milliseconds (C13).
CANCEL_GRACE_MS = 30_000


def cancel_run(scene: Scene, run_id: str, reason: str = "") -> str:
    """Cancel `run_id` and its descendants; the state the run is in now.

    Errors: `NotFound`; `Conflict` when the run has ended otherwise. Cancelling a cancelled run changes
    nothing.
    """
    row = scene.tx.one("find_run", id=run_id)
    if row is None or row["env"] != scene.env:
        raise NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
    if row["state"] == "CANCELED":
        return "CANCELED"
    if row["state"] in FINAL:
        raise Conflict(f"run {run_id} has ended already ({row['state']}), so it cannot be cancelled")
    for member in scene.tx.all("family", id=run_id):
        _cancel_one(scene, member["id"], reason)
    after = scene.tx.one("find_run", id=run_id)
    return "CANCELED" if after is None else str(after["state"])


def _cancel_one(scene: Scene, run_id: str, reason: str) -> None:
    # The end of one member may have resumed another: its state is read now, not with the family.
    member = scene.tx.one("find_state", id=run_id)
    if member is None:
        return
    state, sticky_worker = member["state"], member["sticky_worker"]
    if state == "EXECUTING":
        row = scene.tx.one("request_cancel", id=run_id, now=scene.now, reason=reason)
        if row is not None:
            scene.record("cancel_requested", row, state, row["worker_id"])
            scene.bell.push(row["worker_id"], CancelPush(run_id, row["epoch"], reason))
            scene.bell.due(scene.now + CANCEL_GRACE_MS)
        return
    if end_run(scene, run_id, state, "CANCELED", _canceled(reason)) and sticky_worker is not None:
        scene.bell.push(sticky_worker, EvictPush(run_id))


def force_overdue_cancels(scene: Scene, most: int) -> int:
    """End at most so many that were told to stop and did not within the grace; a new epoch shuts the worker out."""
    rows = scene.tx.all("overdue_cancels", before=scene.now - CANCEL_GRACE_MS, n=most)
    for row in rows:
        end_run(scene, row["id"], "EXECUTING", "CANCELED", _canceled("did not stop in time"), fence=True)
    return len(rows)


def _canceled(reason: str) -> TaskError:
    return TaskError("RunCanceled", reason or "the run was cancelled", code="canceled")
