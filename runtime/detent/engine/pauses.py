"""A run whose code does not fit its journal is paused, until a person resumes, forks or cancels it."""

from __future__ import annotations

import msgspec

from ..model.protocol import Done, Failure, Pause
from ..model.task_error import TaskError
from .finish import end_run
from .scene import Scene

__all__ = ["pause_run"]

_encode = msgspec.json.Encoder().encode


def pause_run(scene: Scene, worker_id: str, request: Pause) -> Done | Failure:
    """EXECUTING → WAITING, until somebody resumes, forks or cancels the run: its code does not fit its journal."""
    paused = {
        "reason": "journal_mismatch",
        "key": request.key,
        "expected": request.expected,
        "received": request.received,
        "message": request.message,
        "actions": ["resume", "fork", "cancel"],
    }
    text = _encode(paused).decode()
    fenced = {"id": request.run_id, "epoch": request.epoch, "worker": worker_id, "now": scene.now}
    row = scene.tx.one("pause_run", paused=text, **fenced)
    if row is not None:
        scene.tx.run("drop_waits", run_id=request.run_id)
        scene.record("pause", row, "WAITING", worker_id, **paused)
        scene.bell.freed(row["env"], row["queue"])
        return Done()
    if scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id) is not None:
        # It was to be cancelled.
        error = TaskError("RunCanceled", "the run was cancelled", code="canceled")
        end_run(scene, request.run_id, "EXECUTING", "CANCELED", error)
        return Done()
    row = scene.tx.one("find_run", id=request.run_id)
    if row is not None and row["epoch"] == request.epoch and (row["paused"] is not None or row["state"] == "CANCELED"):
        return Done()
    return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
