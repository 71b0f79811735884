"""The edges EXECUTING → WAITING → QUEUED: a run gives its slot back while it waits, and is called again."""

from __future__ import annotations

from typing import Any

from ..model.protocol import Failure, Park, Parked, WaitResult
from .results import result_of
from .scene import Scene

__all__ = ["TIMER", "is_parked", "park", "park_run", "release_frame", "resume_run"]

#: How long the worker that holds a parked frame is preferred over others, in milliseconds.
STICKY_MS = 10_000
#: The wait for a timer inside a run, by its key. The worker that holds the frame is given this much longer, in
#: milliseconds, to see to it by itself.
TIMER, _TIMER_SLACK_MS = "timer", 1_000


def park_run(scene: Scene, worker_id: str, run: Any, wake_ms: int | None = None) -> bool:
    """EXECUTING → WAITING: slot and lease are free from this commit on. A run that is to stop does not
    park. `wake_ms`: see `Park`."""
    parked = scene.tx.run("park_run", id=run["id"], epoch=run["epoch"], worker=worker_id, now=scene.now) == 1
    if parked:
        scene.record("park", run, "WAITING", worker_id)
        scene.bell.freed(run["env"], run["queue"])
        _set_timer(scene, run, wake_ms)
    return parked


def _set_timer(scene: Scene, run: Any, wake_ms: int | None) -> None:
    if wake_ms is not None:
        due_at = scene.now + wake_ms + _TIMER_SLACK_MS
        values = {"pending": 1, "kind": "timer", "due_at": due_at, "waitpoint_id": None}
        scene.tx.run("put_wait", run_id=run["id"], key=TIMER, **values)
        scene.bell.due(due_at)
    elif run["has_waits"]:
        scene.tx.run("drop_wait", run_id=run["id"], key=TIMER)


def is_parked(scene: Scene, worker_id: str, run_id: str, epoch: int) -> bool:
    """Whether `worker_id` has parked the run under `epoch` already: its answer was lost, and it asks
    again."""
    return scene.tx.one("find_parked", id=run_id, epoch=epoch, worker=worker_id) is not None


def park(scene: Scene, worker_id: str, request: Park) -> Parked | Failure:
    """Park a run of several branches, unless one of its waits is satisfied already."""
    run = scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id)
    if run is None:
        if is_parked(scene, worker_id, request.run_id, request.epoch):
            return Parked(True)
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    satisfied: list[WaitResult] = []
    for key in request.keys:
        row = scene.tx.one("find_wait", run_id=request.run_id, key=key)
        if row is None or row["pending"] <= 0:
            scene.tx.run("drop_wait", run_id=request.run_id, key=key)
            satisfied.append(result_of(scene.tx, request.run_id, key))
    if satisfied:
        return Parked(False, satisfied)
    return Parked(park_run(scene, worker_id, run, request.wake_ms))


def resume_run(scene: Scene, run_id: str) -> bool:
    """WAITING → QUEUED, preferably to the worker that holds the frame. A paused run stays where it is."""
    row = scene.tx.one("resume_run", id=run_id, now=scene.now, sticky_until=scene.now + STICKY_MS)
    if row is None:
        return False
    scene.record("resume", row, "QUEUED", row["sticky_worker"])
    if row["sticky_until"] is not None:
        scene.bell.due(row["sticky_until"])
    scene.bell.queued(row["env"], row["task"], row["sticky_worker"])
    return True


def release_frame(scene: Scene, worker_id: str, run_id: str, epoch: int) -> None:
    """The worker dropped the frame of a parked run: any worker may go on with it."""
    row = scene.tx.one("unstick_run", id=run_id, epoch=epoch, worker=worker_id)
    if row is not None and row["state"] == "QUEUED":
        scene.bell.queued(row["env"], row["task"])
