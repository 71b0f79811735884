"""The edges of runs that execute in a process of their own: handed to a cell, ended or moved by its parent."""

from __future__ import annotations

from typing import Any

from ..model.protocol import Assign, Done, Failure, Verdict
from ..model.task_error import TaskError
from .finish import end_run, enlarge
from .scene import Scene, error_text

__all__ = ["assign", "carry_out", "last_step"]

_TYPES = {"out_of_memory": "OutOfMemory", "timed_out": "MaxDurationExceeded", "canceled": "RunCanceled"}


def assign(scene: Scene, worker_id: str, request: Assign) -> Done | Failure:
    """EXECUTING here → EXECUTING in a cell of this worker, under the same epoch.

    The cell need not be there yet. What is lost with this worker from now on is lost in a cell, where it does no harm
    and has no part in the loss, so that a run does not count crashes while it waits for its process.
    """
    values = {"id": request.run_id, "epoch": request.epoch}
    if scene.tx.one("fence", worker=worker_id, **values) is not None:
        scene.tx.run("reserve_cell", id=request.to_worker, parent=worker_id, now=scene.now)
    row = scene.tx.one("assign_run", worker=worker_id, to_worker=request.to_worker, **values)
    if row is not None:
        scene.record("assign", row, "EXECUTING", request.to_worker)
        return Done()
    already = scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=request.to_worker)
    if already is not None:
        return Done()
    return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")


def carry_out(scene: Scene, worker_id: str, run: Any, cause: str, verdict: Verdict) -> bool:
    """The parent of a cell killed it, and says how its run is to end; whether it ends so, or is tried again."""
    error = TaskError(_TYPES.get(verdict.code, "WorkerLost"), cause, code=verdict.code)
    if run["cancel_requested_at"] is not None:
        return end_run(scene, run["id"], "EXECUTING", "CANCELED", error, fence=True)
    if verdict.machine is not None and enlarge(
        scene, worker_id, run["id"], run["epoch"], machine=verdict.machine, error=error_text(error)
    ):
        return True
    return end_run(scene, run["id"], "EXECUTING", verdict.status, error, fence=True)


def last_step(scene: Scene, run_id: str) -> str:
    """How far a run got, as the end of a sentence; empty when its journal is."""
    row = scene.tx.one("last_step", run_id=run_id)
    if row is None:
        return ""
    return f"; its last finished {row['kind']} was {row['target']!r} ({row['key']})"
