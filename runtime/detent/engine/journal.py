"""The journal of a run: what it asked of the engine and what came of it, so that it can be executed again."""

from __future__ import annotations

from typing import Any

from ..model.protocol import Done, Entry, Failure, Recall, Recalled, Record
from .park import is_parked
from .scene import Scene

__all__ = ["mismatch", "put_entry", "recall", "record"]

#: Entries in one answer, and characters of their values after which no more are added.
_PAGE, _PAGE_CHARS = 1_000, 8 * 1024 * 1024


def put_entry(scene: Scene, run_id: str, attempt: int, **values: Any) -> None:
    """Write one entry. `values`: key, kind, target, seq, and what else of an `Entry` is set."""
    row = {"done": None, "status": "ok", "value": None, "value_ref": None, "error": None, **values}
    scene.tx.run("put_journal", run_id=run_id, attempt=attempt, now=scene.now, **row)


def mismatch(run_id: str, entry: Any, kind: str, target: str) -> Failure:
    """The answer to a request that is not the one which the journal has under its key."""
    return Failure(
        "journal_mismatch",
        f"run {run_id} went another way than before at {entry['key']!r}: recorded was {entry['kind']} "
        f"{entry['target']!r}, now it is {kind} {target!r}",
    )


def record(scene: Scene, worker_id: str, request: Record) -> Done | Failure:
    """Durable from here on: finished steps, values, and the order in which the run was told of its waits."""
    run = scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id)
    if run is None:
        if is_parked(scene, worker_id, request.run_id, request.epoch):
            return Done()  # said again: what followed it has parked the run
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    for entry in request.entries:
        put_entry(
            scene,
            request.run_id,
            run["attempt"],
            key=entry.key,
            kind=entry.kind,
            target=entry.target,
            seq=entry.seq,
            done=entry.done,
            status=entry.status,
            value=entry.value,
            value_ref=entry.value_ref,
            error=entry.error,
        )
    for key, done in request.delivered:
        scene.tx.run("mark_delivered", run_id=request.run_id, key=key, done=done)
    if request.entries and (run["crashes"] or not run["has_journal"] or run["attempt_started_at"] is None):
        scene.tx.run(
            "mark_progress",
            id=request.run_id,
            epoch=request.epoch,
            worker=worker_id,
            advanced=1,
            waits=0,
            now=scene.now,
        )
    return Done()


def recall(scene: Scene, worker_id: str, request: Recall) -> Recalled | Failure:
    """A page of the journal, for a worker that executes the run again."""
    run = scene.tx.one("fence", id=request.run_id, epoch=request.epoch, worker=worker_id)
    if run is None:
        return Failure("lease_lost", f"run {request.run_id} is no longer this worker's")
    entries: list[Entry] = []
    size = 0
    rows = scene.tx.all("recall_journal", run_id=request.run_id, after=request.after, n=_PAGE)
    for row in rows:
        if size > _PAGE_CHARS:
            break
        size += len(row["value"] or "")
        entries.append(Entry(**dict(zip(row.keys(), row, strict=True))))
    return Recalled(entries, more=len(entries) < len(rows) or len(rows) == _PAGE)
