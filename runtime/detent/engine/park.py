"""The edges EXECUTING → WAITING → QUEUED: a run gives its slot back while it waits, and is called again."""

from __future__ import annotations

from typing import Any

from ..model.protocol import Done, Failure, Leave, Park, Parked, RunResult, SatisfiedPush, WaitResult, Watch
from ..store import Tx
from .scene import Scene

__all__ = ["deliver", "is_parked", "leave", "park", "park_run", "results_of", "satisfy_waitpoint", "watch"]

#: How long the worker that holds a parked frame is preferred over others, in milliseconds.
STICKY_MS = 10_000


def park_run(scene: Scene, worker_id: str, run: Any) -> bool:
    """EXECUTING → WAITING: slot and lease are free from this commit on. A run that is to stop does not
    park."""
    parked = scene.tx.run("park_run", id=run["id"], epoch=run["epoch"], worker=worker_id, now=scene.now) == 1
    if parked:
        scene.record("park", run, "WAITING", worker_id)
        scene.bell.freed(run["env"], run["queue"])
    return parked


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
            satisfied.append(WaitResult(key, results_of(scene.tx, request.run_id, key)))
    if satisfied:
        return Parked(False, satisfied)
    return Parked(park_run(scene, worker_id, run))


def watch(scene: Scene, worker_id: str, request: Watch) -> Parked | Failure:
    """The results of a wait if it is satisfied, asked again after an answer may have been lost."""
    run = scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id)
    if run is None:
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    row = scene.tx.one("count_unfinished_children", run_id=request.run_id, key=request.key)
    if row is not None and row["n"] > 0:
        return Parked(False)
    scene.tx.run("drop_wait", run_id=request.run_id, key=request.key)
    return Parked(False, [WaitResult(request.key, results_of(scene.tx, request.run_id, request.key))])


def leave(scene: Scene, worker_id: str, request: Leave) -> Done | Failure:
    """A run gives up a wait from inside. Parked, it is called again: its code must not go on without a slot."""
    row = scene.tx.one("find_run", id=request.run_id)
    held = row is not None and row["epoch"] == request.epoch
    if row is None or not held or worker_id not in (row["worker_id"], row["sticky_worker"]):
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    scene.tx.run("drop_wait", run_id=request.run_id, key=request.key)
    if row["state"] == "WAITING":
        _resume(scene, request.run_id)
    return Done()


def deliver(scene: Scene, child_id: str) -> None:
    """A run that is waited for has ended: count down the waits for it, and wake those that reach zero."""
    for row in scene.tx.all("waiting_for", child_id=child_id):
        wait = scene.tx.one("count_down", run_id=row["run_id"], key=row["key"])
        if wait is not None and wait["pending"] == 0:
            _wake(scene, row["run_id"], row["key"])


def _resume(scene: Scene, run_id: str) -> bool:
    """WAITING → QUEUED, preferably to the worker that holds the frame."""
    row = scene.tx.one("resume_run", id=run_id, now=scene.now, sticky_until=scene.now + STICKY_MS)
    if row is None:
        return False
    scene.record("resume", row, "QUEUED", row["sticky_worker"])
    if row["sticky_until"] is not None:
        scene.bell.due(row["sticky_until"])
    scene.bell.queued(row["env"], row["task"], row["sticky_worker"])
    return True


def _wake(scene: Scene, run_id: str, key: str) -> None:
    if _resume(scene, run_id):
        return
    holder = scene.tx.one("executing_at", id=run_id)
    if holder is not None:
        scene.tx.run("drop_wait", run_id=run_id, key=key)
        result = WaitResult(key, results_of(scene.tx, run_id, key))
        scene.bell.push(holder["worker_id"], SatisfiedPush(run_id, holder["epoch"], result))


def results_of(tx: Tx, run_id: str, key: str) -> list[RunResult]:
    """How the runs of a journal entry ended, in the order of the call."""
    return [
        RunResult(row["id"], row["task"], row["state"], row["output"], row["output_ref"], row["error"])
        for row in tx.all("read_results", run_id=run_id, key=key)
    ]


def satisfy_waitpoint(scene: Scene, waitpoint: Any) -> None:
    """A waitpoint (a row of `waitpoints`) has its outcome: wake the runs that wait for it."""
    scene.tx.all("waiting_for_waitpoint", id=waitpoint["id"])
