"""A worker says hello: what it can run becomes known, and runs that waited for such a version are queued."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from ..model.protocol import CancelPush, Failure, Hello, Release, Welcome
from .duties import held_duties
from .leases import BEATS, LEASE_MS, release
from .scene import Scene
from .schedules import declare_schedules
from .trigger import TASKS_NOTE

__all__ = ["enlist"]

_encode = msgspec.json.Encoder().encode


def enlist(
    scene: Scene, request: Hello, elsewhere: Collection[str] = (), lease_ms: int = LEASE_MS
) -> Welcome | Failure:
    """Take the worker in. A worker that was given up as dead must come back under a new id.

    Tasks that are neither its own nor run `elsewhere`, by other connected workers, are forgotten.
    """
    tx, env, now = scene.tx, scene.env, scene.now
    manifest = request.manifest
    if request.parent is not None and not _is_of(tx.one("find_worker", id=request.parent), env):
        return Failure("lease_lost", f"worker {request.parent}, whose cell this is, was given up")
    known = tx.one("find_worker", id=request.worker_id)
    if known is not None and not _is_of(known, env):
        return Failure("lease_lost", f"worker {request.worker_id} was given up; start it anew")
    taken = tx.run(
        "put_worker",
        id=request.worker_id,
        env=env,
        host=request.host,
        pid=request.pid,
        pid_started=request.pid_started,
        version=manifest.version,
        problems=_encode(manifest.problems).decode(),
        parent=request.parent,
        now=now,
    )
    if not taken:
        return Failure("lease_lost", f"worker {request.worker_id} was given up; start it anew")
    if request.parent is None:
        _describe(scene, request, elsewhere)
    return Welcome(lease_ms // BEATS, lease_ms, env, _settle(scene, request) if request.again else [])


def _is_of(worker: Any, env: str) -> bool:
    """Whether a worker lives, and in this environment: an id alone, which may be guessed, takes nothing over."""
    return worker is not None and worker["env"] == env and worker["state"] != "dead"


def _describe(scene: Scene, request: Hello, elsewhere: Collection[str]) -> None:
    """Its queues, tasks and schedules are known from now on, and runs that waited for them are queued."""
    tx, env, now = scene.tx, scene.env, scene.now
    manifest = request.manifest
    for queue in manifest.queues:
        tx.run("put_queue", env=env, name=queue.name, limit_n=queue.limit, limit_per_key=queue.limit_per_key)
    tx.run("drop_worker_tasks", worker=request.worker_id)
    tx.many("put_worker_task", [{"worker": request.worker_id, "task": task.id} for task in manifest.tasks])
    tx.notes.pop(TASKS_NOTE, None)
    kept = [*(task.id for task in manifest.tasks), *elsewhere]
    tx.run("forget_other_tasks", env=env, ids=_encode(kept).decode())
    for task in manifest.tasks:
        spec = _encode(task).decode()
        tx.run("put_task", env=env, id=task.id, spec=spec, worker_id=request.worker_id, now=now)
        for row in tx.all("unblock_versionless", env=env, task=task.id, queue=task.queue, now=now):
            scene.record("version_found", row, row["state"])
            if row["state"] == "QUEUED":
                scene.bell.queued(env, task.id)
            else:
                scene.bell.due(row["wake_at"])
            if row["expires_at"] is not None:
                scene.bell.due(row["expires_at"])
    declare_schedules(scene, manifest, elsewhere)
    # Limits may be others now.
    scene.bell.anyone(env)


def _settle(scene: Scene, request: Hello) -> list[CancelPush]:
    """Runs whose grant was lost with the last connection go on elsewhere; cancellations are said again."""
    held = scene.tx.all("held_runs", worker=request.worker_id)
    known = set(request.holds)
    granted = [(run["id"], run["epoch"]) for run in held] + held_duties(scene, request.worker_id)
    lost = [grant for grant in granted if grant not in known]
    release(scene, request.worker_id, Release(lost, draining=False))
    return [CancelPush(run["id"], run["epoch"]) for run in held if run["cancel_requested_at"] is not None]
