"""Durable waits of a run: begun, asked for again, given up."""

from __future__ import annotations

from typing import Any

from ..model.ids import derived_id
from ..model.protocol import Done, Failure, Leave, Parked, Wait, Watch
from .inputs import give_back_input, take_input
from .journal import mismatch, put_entry
from .park import is_parked, park_run, resume_run
from .results import result_of
from .satisfy import outcome_of
from .scene import Scene
from .waitpoints import create_waitpoint

__all__ = ["leave", "wait", "watch"]


def wait(scene: Scene, worker_id: str, request: Wait) -> Parked | Failure:
    """Wait for a moment or a token. Whether the run is parked now; the result if there is nothing to wait for."""
    tx = scene.tx
    run = tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id)
    if run is None:
        if request.park and is_parked(scene, worker_id, request.run_id, request.epoch):
            return Parked(True)
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    entry: Any = tx.one("find_journal", run_id=request.run_id, key=request.key)
    known = entry is not None and entry["attempt"] == run["attempt"]
    if known and (entry["kind"], entry["target"]) != (request.kind, request.target):
        return mismatch(request.run_id, entry, request.kind, request.target)
    if known and entry["status"] in ("ok", "error"):
        return Parked(False, [result_of(tx, request.run_id, request.key)])
    if known and entry["status"] == "open" and entry["value"] is not None:
        # Begun before a crash: it ends when it was to end then.
        due_at: int | None = int(entry["value"])
    elif request.for_ms is not None:
        due_at = scene.now + request.for_ms
    else:
        due_at = request.until
    if (
        request.kind == "input"
        and (taken := take_input(scene, request.run_id, request.target, request.key)) is not None
    ):
        return _end_at_once(scene, worker_id, request, run, taken)
    waitpoint = _waitpoint(scene, request, due_at)
    if isinstance(waitpoint, Failure):
        return waitpoint
    satisfied = waitpoint["status"] != "WAITING" if waitpoint is not None else False
    if not satisfied and due_at is not None and due_at <= scene.now:
        satisfied = True
    if satisfied:
        return _end_at_once(scene, worker_id, request, run, outcome_of(request.kind, waitpoint))
    _put_entry(scene, request, run, {"status": "open"} | ({} if due_at is None else {"value": str(due_at)}))
    tx.run(
        "put_wait",
        run_id=request.run_id,
        key=request.key,
        pending=1,
        kind=request.kind,
        # A moment that others share is reached by its waitpoint.
        due_at=None if request.kind == "time" and waitpoint is not None else due_at,
        waitpoint_id=None if waitpoint is None else waitpoint["id"],
    )
    if due_at is not None:
        scene.bell.due(due_at)
    if request.park and park_run(scene, worker_id, run, request.wake_ms):
        return Parked(True)
    _progress(scene, worker_id, request, waits=True)
    return Parked(False)


def _end_at_once(scene: Scene, worker_id: str, request: Wait, run: Any, outcome: dict[str, Any]) -> Parked:
    _put_entry(scene, request, run, outcome)
    scene.tx.run("drop_wait", run_id=request.run_id, key=request.key)
    _progress(scene, worker_id, request, waits=False)
    return Parked(False, [result_of(scene.tx, request.run_id, request.key)])


def _put_entry(scene: Scene, request: Wait, run: Any, values: dict[str, Any]) -> None:
    place = {"key": request.key, "kind": request.kind, "target": request.target, "seq": request.seq}
    put_entry(scene, request.run_id, run["attempt"], **place, **values)


def _progress(scene: Scene, worker_id: str, request: Wait, *, waits: bool) -> None:
    scene.tx.run(
        "mark_progress",
        id=request.run_id,
        epoch=request.epoch,
        worker=worker_id,
        advanced=1,
        waits=int(waits),
        now=scene.now,
    )


def _waitpoint(scene: Scene, request: Wait, due_at: int | None) -> Any:
    """The waitpoint that is waited for, None for a moment of the run's own, a `Failure` for a token that is not."""
    if request.kind == "token":
        row = scene.tx.one("find_waitpoint", id=request.target)
        if row is None or row["env"] != scene.env:
            return Failure(
                "not_found",
                f"no token {request.target!r} in this project; make one with wait.create_token(), "
                "list those there are with `detent tokens list`",
            )
        return row
    if request.kind == "input" or (not request.tags and request.idempotency_key is None):
        return None
    row, _ = create_waitpoint(
        scene,
        id=derived_id("waitpoint", request.run_id, request.key, 0, 0),
        kind="time",
        due_at=due_at,
        tags=request.tags,
        idempotency_key=request.idempotency_key,
        idempotency_ttl_ms=request.idempotency_ttl_ms,
        run_id=request.run_id,
    )
    return row


def watch(scene: Scene, worker_id: str, request: Watch) -> Parked | Failure:
    """The results of a wait if it is satisfied, asked again after an answer may have been lost."""
    run = scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id)
    if run is None:
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    row = scene.tx.one("find_wait", run_id=request.run_id, key=request.key)
    if row is not None and row["pending"] > 0:
        return Parked(False)
    if row is None and scene.tx.one("find_journal", run_id=request.run_id, key=request.key) is None:
        return Parked(False)  # the request that begins the wait is still under way
    scene.tx.run("drop_wait", run_id=request.run_id, key=request.key)
    return Parked(False, [result_of(scene.tx, request.run_id, request.key)])


def leave(scene: Scene, worker_id: str, request: Leave) -> Done | Failure:
    """A run gives up a wait from inside. Parked, it is called again: its code must not go on without a slot."""
    row = scene.tx.one("find_run", id=request.run_id)
    held = row is not None and row["epoch"] == request.epoch
    if row is None or not held or worker_id not in (row["worker_id"], row["sticky_worker"]):
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    scene.tx.run("drop_wait", run_id=request.run_id, key=request.key)
    give_back_input(scene, request.run_id, request.key)
    scene.tx.run("leave_entry", run_id=request.run_id, key=request.key, done=request.done)
    if row["state"] == "WAITING":
        resume_run(scene, request.run_id)
    return Done()
