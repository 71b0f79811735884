"""The edge QUEUED → EXECUTING: one transaction that takes the queue's slot, the lease and a new epoch."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.protocol import Claim, Claimed, EvictPush, Failure, Grant, WaitResult
from .duties import claim_duties
from .results import result_of
from .scene import Scene
from .sessions import Session

__all__ = ["claim_runs"]

_encode = msgspec.json.Encoder().encode
_decode_strings = msgspec.json.Decoder(tuple[str, ...]).decode

#: How many lanes of a queue are looked at together.
_LANES = 64
#: Grants in one answer; a worker with more room asks again.
_MOST = 256


def claim_runs(scene: Scene, session: Session, request: Claim, env_limit: int | None) -> Claimed | Failure:
    """Duties, and then the best claimable runs, as many as `session` has room for and the limits allow."""
    if session.draining or session.parent is not None:
        return Claimed()
    room = _MOST if env_limit is None else _env_room(scene, env_limit)
    grants: list[Grant] = []
    more = False
    if request.async_ > 0:
        demand = min(request.async_, _MOST)
        duties = claim_duties(scene, session, demand, session.async_tasks & session.with_hooks)
        runs = _claim_of(scene, session, min(demand - len(duties), room), session.async_tasks)
        found = duties + runs
        session.hungry_async = request.async_ - len(found) if len(found) < demand else 0
        more = len(found) >= demand
        room -= len(runs)
        grants += found
    if request.sync > 0:
        demand = min(request.sync, _MOST)
        duties = claim_duties(scene, session, demand, session.sync_tasks & session.with_hooks)
        found = duties + _claim_of(scene, session, min(demand - len(duties), room), session.sync_tasks)
        session.hungry_sync = request.sync - len(found) if len(found) < demand else 0
        more = more or len(found) >= demand
        grants += found
    # The dead find no queue to claim from, so only who got nothing is asked whether it lives.
    if not grants and scene.tx.one("find_live_worker", id=session.worker_id) is None:
        return Failure("lease_lost", f"worker {session.worker_id} was given up; start it anew")
    return Claimed(grants, more)


def _env_room(scene: Scene, env_limit: int) -> int:
    row = scene.tx.one("count_running_of_env", env=scene.env)
    return max(0, min(_MOST, env_limit - (0 if row is None else row["n"])))


def _claim_of(scene: Scene, session: Session, demand: int, tasks: frozenset[str]) -> list[Grant]:
    """Up to `demand` runs of `tasks`; the queue whose first run is the oldest comes first."""
    if demand <= 0 or not tasks:
        return []
    values = {
        "worker": session.worker_id,
        "version": session.version,
        "tasks": _encode(list(tasks)).decode(),
        "env": scene.env,
        "now": scene.now,
        "machines": session.claims["machines"],
        "unnamed": session.claims["unnamed"],
    }
    rows: list[Any] = []
    queues = session.claims["queues"]
    for queue in scene.tx.all("claimable_queues", env=scene.env, worker=session.worker_id, queues=queues):
        room = demand - len(rows)
        free = room if queue["limit_n"] is None else queue["limit_n"] - queue["running"]
        if free <= 0:
            continue
        found = _from_queue(scene, queue, min(room, free), values)
        rows += found
        if len(found) >= free:
            scene.bell.used_up(scene.env, queue["queue"])
        if len(rows) >= demand:
            break
    # Twenty columns of each are read by name, and a row looks for a name from its first column on.
    return [_grant(scene, session, dict(zip(row.keys(), row, strict=True))) for row in rows]


def _from_queue(scene: Scene, queue: Any, room: int, values: dict[str, Any]) -> list[Any]:
    """Up to `room` runs of one queue. Its lanes are served in turn: a long one cannot starve the others."""
    if queue["first_key"] == queue["last_key"]:
        key = queue["first_key"]
        only = _from_lane(scene, queue, key, room, values)
        if len(only) < room:
            scene.tx.later("drop_empty_lane", [_lane(scene, queue, key)])
        return only
    rows: list[Any] = []
    passed_over = 0
    while len(rows) < room:
        lanes = scene.tx.all("lanes_in_turn", env=scene.env, queue=queue["queue"], n=_LANES, skip=passed_over)
        if not lanes:
            break
        share = max(1, (room - len(rows)) // len(lanes))
        for lane in lanes:
            key = lane["concurrency_key"]
            wanted = min(share, room - len(rows))
            found = _from_lane(scene, queue, key, wanted, values)
            rows += found
            # Nothing is queued in it any more.
            gone = len(found) < wanted and bool(scene.tx.run("drop_empty_lane", **_lane(scene, queue, key)))
            # A lane that was served goes to the end of the row; one that could not be stays where it is.
            if found and not gone:
                scene.tx.run("serve_lane", **_lane(scene, queue, key))
            elif not gone:
                passed_over += 1
            if len(rows) >= room:
                break
    return rows


def _from_lane(scene: Scene, queue: Any, key: str, room: int, values: dict[str, Any]) -> list[Any]:
    """Up to `room` runs of one lane."""
    lane = _lane(scene, queue, key)
    if queue["limit_per_key"] is not None and key:
        row = scene.tx.one("count_running_of_key", **lane)
        room = min(room, queue["limit_per_key"] - (0 if row is None else row["n"]))
        if room <= 0:
            return []
    rows = scene.tx.all("claim_lane", queue=queue["queue"], concurrency_key=key, n=room, **values)
    return sorted(rows, key=lambda row: (row["order_at"], row["seq"]))


def _lane(scene: Scene, queue: Any, key: str) -> dict[str, str]:
    return {"env": scene.env, "queue": queue["queue"], "concurrency_key": key}


def _grant(scene: Scene, session: Session, row: dict[str, Any]) -> Grant:
    run_id, epoch = row["id"], row["epoch"]
    scene.record("claim", row, "EXECUTING", session.worker_id)
    scene.bell.claimed(run_id)
    results: list[WaitResult] = []
    if row["has_waits"]:
        for wait in scene.tx.all("list_satisfied", run_id=run_id):
            results.append(result_of(scene.tx, run_id, wait["key"]))
            scene.tx.run("drop_wait", run_id=run_id, key=wait["key"])
    if row["sticky_worker"] is not None:
        scene.tx.run("clear_sticky", id=run_id)
        if row["sticky_worker"] != session.worker_id:
            scene.bell.push(row["sticky_worker"], EvictPush(run_id))
    return Grant(
        run_id=run_id,
        epoch=epoch,
        task=row["task"],
        queue=row["queue"],
        attempt=row["attempt"],
        created_at=row["created_at"],
        payload=row["payload"],
        payload_ref=row["payload_ref"],
        max_attempts=row["max_attempts"],
        max_duration_ms=row["max_duration_ms"],
        machine=row["machine"],
        used_ms=row["used_ms"],
        concurrency_key=row["concurrency_key"],
        priority=row["priority"],
        tags=() if row["tags"] == "[]" else _decode_strings(row["tags"]),
        metadata=row["metadata"],
        idempotency_key=row["idempotency_key"],
        parent_id=row["parent_id"],
        root_id=row["root_id"],
        batch_id=row["batch_id"],
        version=row["version"],
        replay_of=row["replay_of"],
        first_started_at=row["started_at"],
        resumed=row["sticky_worker"] == session.worker_id,
        recall=bool(row["has_journal"]),
        crashes=row["crashes"],
        results=tuple(results),
    )
