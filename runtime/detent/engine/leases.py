"""Leases belong to worker processes: a beat keeps all the runs of a worker, its death loses them all."""

from __future__ import annotations

from typing import Any

from ..model.limits import CRASHES
from ..model.protocol import Beat, Done, Failure, Release, Verdict
from ..model.task_error import TaskError
from .duties import hand_back_duty, held_duties, lose_duties
from .finish import end_run
from .isolation import carry_out, last_step
from .park import release_frame
from .scene import Scene

__all__ = ["BEATS", "LEASE_MS", "beat", "hand_back_all", "lose_worker", "release", "silent_workers"]

#: A worker is taken for lost this long after its last beat, in milliseconds (C3), if nothing else is set.
LEASE_MS = 45_000
#: How often it beats in that time.
BEATS = 9


_STOPPED = TaskError("RunCanceled", "the run was cancelled, and its worker stopped", code="canceled")


def beat(scene: Scene, worker_id: str, request: Beat) -> Done | Failure:
    """The worker lives."""
    known = scene.tx.run(
        "beat_worker", id=worker_id, now=scene.now, lag_ms=request.lag_ms, blocked_by=request.blocked_by
    )
    # A cell whose code lets nothing else of its process run is beaten for by its parent, which sees it live.
    scene.tx.run("beat_cells", parent=worker_id, now=scene.now)
    return Done() if known else Failure("lease_lost", f"worker {worker_id} was given up")


def silent_workers(scene: Scene, lease_ms: int) -> list[str]:
    """Workers whose lease has passed. A beat that lies ahead, as the clock was set back since, counts from now on."""
    scene.tx.run("forget_beats_ahead", now=scene.now)
    return [row["id"] for row in scene.tx.all("list_workers") if row["beat_at"] + lease_ms <= scene.now]


def lose_worker(
    scene: Scene,
    worker_id: str,
    cause: str,
    code: str = "crashed",
    *,
    parent: str | None = None,
    verdict: Verdict | None = None,
) -> int:
    """A worker is dead: its runs go back ahead of new ones, its parked frames are gone. How many runs it
    held.

    The third time that a run loses its worker without having made progress it is given up as ``CRASHED``
    (C14). A cell that ended with its parent does not count: its run had no part in that.

    Parameters:
      parent: of a cell, when it is the one who tells. `verdict`: how the run of that cell is to end.
    """
    dead = scene.tx.one("find_worker", id=worker_id)
    if dead is None or not scene.tx.run("bury_worker", id=worker_id):
        return 0
    counted = dead["parent"] is None or parent is not None
    held = scene.tx.all("held_runs", worker=worker_id)
    for run in held:
        if verdict is None or not carry_out(scene, worker_id, run, cause, verdict):
            _lose_run(scene, worker_id, run, cause, code, counted=counted)
    for row in scene.tx.all("unstick", worker=worker_id):
        if row["state"] == "QUEUED":
            scene.bell.queued(row["env"], row["task"])
    lose_duties(scene, worker_id)
    for cell in scene.tx.all("cells_of", parent=worker_id):
        lose_worker(scene, cell["id"], f"the worker that it belonged to ended: {cause}", code)
    # There is one for each run in a process of its own, so they are not kept for their history.
    scene.tx.run("forget_cell", id=worker_id)
    return len(held)


def _lose_run(scene: Scene, worker_id: str, run: Any, cause: str, code: str, *, counted: bool) -> None:
    message = f"the worker process ended while it executed this run: {cause}"
    if run["cancel_requested_at"] is not None:
        error = TaskError("WorkerLost", message, code=code)
        end_run(scene, run["id"], "EXECUTING", "CANCELED", error, fence=True)
    elif run["crashes"] + counted >= CRASHES:
        error = TaskError("WorkerLost", message + last_step(scene, run["id"]), code=code)
        end_run(scene, run["id"], "EXECUTING", "CRASHED", error, fence=True)
    else:
        values = {"id": run["id"], "epoch": run["epoch"], "worker": worker_id, "now": scene.now}
        row = scene.tx.one("lose_lease", counted=int(counted), **values)
        if row is not None:
            scene.record("lose_lease", row, "QUEUED", worker_id, cause=cause)
            scene.bell.freed(row["env"], row["queue"])
            scene.bell.queued(row["env"], row["task"])


def hand_back_all(scene: Scene, worker_id: str) -> None:
    """A worker ended because it was asked to: what it held is queued again, and nothing counts against it."""
    held = [(run["id"], run["epoch"]) for run in scene.tx.all("held_runs", worker=worker_id)]
    release(scene, worker_id, Release(held + held_duties(scene, worker_id)))


def release(scene: Scene, worker_id: str, request: Release) -> Done:
    """Runs handed back by a worker that stops: queued again ahead of new ones, no attempt spent, no crash
    counted."""
    if request.draining:
        scene.tx.run("drain_worker", id=worker_id)
        for row in scene.tx.all("unstick", worker=worker_id):
            if row["state"] == "QUEUED":
                scene.bell.queued(row["env"], row["task"])
    for run_id, epoch in request.runs:
        row = scene.tx.one("hand_back_run", id=run_id, epoch=epoch, worker=worker_id, now=scene.now)
        if row is not None:
            scene.record("release", row, "QUEUED", worker_id)
            scene.bell.freed(row["env"], row["queue"])
            scene.bell.queued(row["env"], row["task"])
        elif scene.tx.one("fence", id=run_id, epoch=epoch, worker=worker_id):
            end_run(scene, run_id, "EXECUTING", "CANCELED", _STOPPED, fence=True)
        else:
            hand_back_duty(scene, worker_id, run_id, epoch)
    for run_id, epoch in request.evicted:
        release_frame(scene, worker_id, run_id, epoch)
    # A ring that this worker got and does not follow any more.
    scene.bell.anyone(scene.env)
    return Done()
