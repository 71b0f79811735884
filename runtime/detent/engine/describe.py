"""What an environment can run becomes known, and runs that waited for it are queued."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from ..model.manifest import Manifest
from .scene import Scene
from .schedules import declare_schedules
from .trigger import TASKS_NOTE

__all__ = ["describe"]

_encode = msgspec.json.Encoder().encode


def describe(scene: Scene, manifest: Manifest, worker_id: str | None = None, elsewhere: Collection[str] = ()) -> None:
    """Its queues, tasks and schedules are those of the environment from now on.

    Parameters:
      worker_id: who says so; None for a version that was promoted.
      elsewhere: tasks that others run. Those that are neither these nor the manifest's are forgotten.
    """
    tx, env, now = scene.tx, scene.env, scene.now
    for queue in manifest.queues:
        tx.run("put_queue", env=env, name=queue.name, limit_n=queue.limit, limit_per_key=queue.limit_per_key)
    tx.notes.pop(TASKS_NOTE, None)
    kept = [*(task.id for task in manifest.tasks), *elsewhere]
    tx.run("forget_other_tasks", env=env, ids=_encode(kept).decode())
    for task in manifest.tasks:
        spec = _encode(task).decode()
        tx.run("put_task", env=env, id=task.id, spec=spec, worker_id=worker_id, now=now)
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
