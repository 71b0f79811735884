"""A worker says hello: what it can run becomes known, and runs that waited for such a version are queued."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from ..model.protocol import CancelPush, Failure, Hello, Release, Welcome
from .describe import describe
from .duties import held_duties
from .leases import BEATS, LEASE_MS, release
from .scene import Scene

__all__ = ["enlist"]

_encode = msgspec.json.Encoder().encode


def enlist(
    scene: Scene, request: Hello, elsewhere: Collection[str] = (), lease_ms: int = LEASE_MS
) -> Welcome | Failure:
    """Take the worker in. A worker that was given up as dead must come back under a new id.

    Tasks that are neither its own nor run `elsewhere`, by other connected workers, are forgotten, where no version was
    deployed.
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
        queues=_listed(request.queues),
        machines=_listed(request.machines),
        now=now,
    )
    if not taken:
        return Failure("lease_lost", f"worker {request.worker_id} was given up; start it anew")
    if request.parent is None:
        _describe(scene, request, elsewhere)
    return Welcome(lease_ms // BEATS, lease_ms, env, _settle(scene, request) if request.again else [])


def _listed(names: list[str] | None) -> str | None:
    return None if names is None else _encode(names).decode()


def _is_of(worker: Any, env: str) -> bool:
    """Whether a worker lives, and in this environment: an id alone, which may be guessed, takes nothing over."""
    return worker is not None and worker["env"] == env and worker["state"] != "dead"


def _describe(scene: Scene, request: Hello, elsewhere: Collection[str]) -> None:
    """What it can run is known from now on. Where a version was promoted, that alone says what the environment runs."""
    tx, manifest = scene.tx, request.manifest
    tx.run("drop_worker_tasks", worker=request.worker_id)
    tx.many("put_worker_task", [{"worker": request.worker_id, "task": task.id} for task in manifest.tasks])
    if tx.one("find_current_version", env=scene.env) is None:
        describe(scene, manifest, request.worker_id, elsewhere)
    else:
        scene.bell.anyone(scene.env)


def _settle(scene: Scene, request: Hello) -> list[CancelPush]:
    """Runs whose grant was lost with the last connection go on elsewhere; cancellations are said again."""
    held = scene.tx.all("held_runs", worker=request.worker_id)
    known = set(request.holds)
    granted = [(run["id"], run["epoch"]) for run in held] + held_duties(scene, request.worker_id)
    lost = [grant for grant in granted if grant not in known]
    release(scene, request.worker_id, Release(lost, draining=False))
    return [CancelPush(run["id"], run["epoch"]) for run in held if run["cancel_requested_at"] is not None]
