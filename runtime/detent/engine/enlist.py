"""A worker says hello: what it can run becomes known, and runs that waited for such a version are queued."""

from __future__ import annotations

import msgspec

from ..model.protocol import Failure, Hello, Welcome
from .leases import BEAT_MS, LEASE_MS
from .scene import Scene

__all__ = ["enlist"]

_encode = msgspec.json.Encoder().encode


def enlist(scene: Scene, request: Hello) -> Welcome | Failure:
    """Take the worker in. A worker that was given up as dead must come back under a new id."""
    manifest = request.manifest
    taken = scene.tx.run(
        "put_worker",
        id=request.worker_id,
        env=scene.env,
        host=request.host,
        pid=request.pid,
        pid_started=request.pid_started,
        version=manifest.version,
        problems=_encode(manifest.problems).decode(),
        now=scene.now,
    )
    if not taken:
        return Failure("lease_lost", f"worker {request.worker_id} was given up; start it anew")
    for queue in manifest.queues:
        scene.tx.run(
            "put_queue", env=scene.env, name=queue.name, limit_n=queue.limit, limit_per_key=queue.limit_per_key
        )
    scene.tx.run("forget_other_tasks", env=scene.env, ids=_encode([task.id for task in manifest.tasks]).decode())
    for task in manifest.tasks:
        scene.tx.run(
            "put_task",
            env=scene.env,
            id=task.id,
            spec=_encode(task).decode(),
            worker_id=request.worker_id,
            now=scene.now,
        )
        for row in scene.tx.all("unblock_versionless", env=scene.env, task=task.id, queue=task.queue, now=scene.now):
            scene.record("version_found", row["id"], "QUEUED", row["epoch"], row["attempt"])
    return Welcome(BEAT_MS, LEASE_MS, scene.env)
