"""Duties: hooks that are still to run for a run that ended without its code.

A duty is handed out like a run, ahead of runs, and holds a worker but no slot of a queue. The end of its run stands,
whatever becomes of it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.protocol import Done, DutyDone, Grant
from .scene import Scene
from .sessions import Session

__all__ = [
    "claim_duties",
    "end_duty",
    "forget_duties",
    "hand_back_duty",
    "held_duties",
    "holds_duty",
    "lose_duties",
    "owe_hooks",
]

#: A duty that so many workers died of is dropped.
TRIES = 3
#: A duty that nobody has taken for so long is dropped, in milliseconds.
KEEP_MS = 7 * 24 * 3_600_000

_encode = msgspec.json.Encoder().encode
_decode_strings = msgspec.json.Decoder(tuple[str, ...]).decode

#: Columns of a run that its grant has under the same names.
_SAME = (
    "task", "queue", "attempt", "created_at", "payload", "payload_ref", "max_attempts", "max_duration_ms",
    "concurrency_key", "priority", "metadata", "idempotency_key", "parent_id", "root_id", "batch_id", "version",
    "crashes", "machine",
)  # fmt: skip


def owe_hooks(scene: Scene, run: Any, status: str) -> None:
    """The run has ended as `status` and its hooks did not run: if its task has any for such an end, a worker shall."""
    owed = scene.tx.run(
        "put_duty",
        run_id=run["id"],
        env=run["env"],
        task=run["task"],
        status=status,
        epoch=run["epoch"],
        event="on_cancel" if status == "CANCELED" else "on_failure",
        now=scene.now,
    )
    if owed:
        scene.tx.notes.pop(f"open duties {run['env']}", None)
        scene.bell.queued(run["env"], run["task"])


def claim_duties(scene: Scene, session: Session, demand: int, tasks: frozenset[str]) -> list[Grant]:
    """Up to `demand` duties of `tasks`, the oldest first."""
    tx = scene.tx
    if demand <= 0 or not tasks or not _any_open(scene):
        return []
    names = _encode(list(tasks)).decode()
    rows = tx.all(
        "claim_duties", env=scene.env, worker=session.worker_id, version=session.version, tasks=names, n=demand
    )
    return [_grant(tx.one("find_run", id=row["run_id"]), row) for row in rows]


def _any_open(scene: Scene) -> bool:
    """Whether there are open duties; looked at once in a transaction, since it is asked at every claim."""
    note = f"open duties {scene.env}"
    if scene.tx.notes.get(note) is None:
        scene.tx.notes[note] = scene.tx.one("find_open_duty", env=scene.env) is not None
    return bool(scene.tx.notes[note])


def _grant(run: Any, duty: Any) -> Grant:
    return Grant(
        run_id=run["id"],
        epoch=duty["epoch"],
        tags=_decode_strings(run["tags"]),
        first_started_at=run["started_at"],
        duty=duty["status"],
        error=run["error"],
        reason=run["cancel_reason"] or "",
        **{name: run[name] for name in _SAME},
    )


def holds_duty(scene: Scene, worker_id: str, run_id: str, epoch: int) -> bool:
    """Whether the hooks of this run are this worker's to run, under `epoch`."""
    return scene.tx.one("fence_duty", id=run_id, epoch=epoch, worker=worker_id) is not None


def held_duties(scene: Scene, worker_id: str) -> list[tuple[str, int]]:
    """Run and epoch of the duties of a worker."""
    return [(row["run_id"], row["epoch"]) for row in scene.tx.all("held_duties", worker=worker_id)]


def end_duty(scene: Scene, worker_id: str, request: DutyDone) -> Done:
    """The hooks have run. Said again, or by a worker that lost the duty, it changes nothing."""
    scene.tx.run("end_duty", id=request.run_id, epoch=request.epoch, worker=worker_id)
    return Done()


def hand_back_duty(scene: Scene, worker_id: str, run_id: str, epoch: int) -> None:
    """A worker that stops leaves the hooks to others; nothing counts against them."""
    row = scene.tx.one("hand_back_duty", id=run_id, epoch=epoch, worker=worker_id)
    if row is not None:
        scene.bell.queued(row["env"], row["task"])


def lose_duties(scene: Scene, worker_id: str) -> None:
    """The worker is dead: others run the hooks that it had begun, unless they have cost too many workers."""
    for row in scene.tx.all("lose_duties", worker=worker_id):
        if row["tries"] >= TRIES:
            scene.tx.run("drop_duty", id=row["run_id"])
            _record_loss(scene, row["run_id"], f"{TRIES} workers were lost while they ran them")
        else:
            scene.bell.queued(row["env"], row["task"])


def forget_duties(scene: Scene, n: int) -> int:
    """Drop up to `n` duties that no worker has taken for days; how many."""
    rows = scene.tx.all("forget_duties", before=scene.now - KEEP_MS, n=n)
    for row in rows:
        _record_loss(scene, row["run_id"], "no worker took them")
    return len(rows)


def _record_loss(scene: Scene, run_id: str, cause: str) -> None:
    run: Any = scene.tx.one("find_run", id=run_id)
    scene.record("hooks_lost", run, run["state"], cause=cause)
