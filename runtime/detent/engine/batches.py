"""Batches: runs that were triggered together, and how they stand as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import Conflict
from ..model.protocol import Handle
from ..model.status import FINAL, Status
from ..store import Store
from .scene import Scene
from .views import status_of

__all__ = ["Batch", "begin_batch", "read_batch"]

#: Statuses of runs that have not begun.
_UNBEGUN = frozenset({Status.PENDING_VERSION, Status.DELAYED, Status.QUEUED})


def begin_batch(scene: Scene, batch_id: str, handles: Sequence[Handle], parent_id: str | None = None) -> None:
    """A batch of the runs `handles`, in the order of the items; said again, nothing changes.

    Errors: `Conflict` for an id that another environment has.
    """
    values = {"env": scene.env, "parent_id": parent_id, "total": len(handles), "now": scene.now}
    if not scene.tx.run("insert_batch", id=batch_id, **values):
        there = scene.tx.one("find_batch", id=batch_id)
        if there is not None and there["env"] != scene.env:
            raise Conflict(f"the id {batch_id!r} is taken; leave the batch's id out")
    found = [
        {"batch_id": batch_id, "place": place, "run_id": handle.id}
        for place, handle in enumerate(handles)
        if handle.cached
    ]
    if found:
        scene.tx.many("keep_found", found)


class Batch(NamedTuple):
    """How a batch stands: its members in the order of the items, without those that were removed."""

    run_ids: list[str]
    counts: dict[str, int]
    status: str
    finished_at: int | None


def read_batch(store: Store, env: str, batch_id: str) -> Batch:
    """How the batch stands now."""
    rows = store.read("view_batch_members", id=batch_id, env=env)
    ids = _in_order(rows)
    counts = Counter(status_of(row) for row in rows)
    ended = all(row["state"] in FINAL for row in rows)
    if not ended:
        begun = any(row["started_at"] is not None or row["state"] not in _UNBEGUN for row in rows)
        return Batch(ids, dict(counts), "PROCESSING" if begun else "PENDING", None)
    status = "COMPLETED" if counts.total() == counts[Status.COMPLETED] else "PARTIAL_FAILED"
    last = max((row["finished_at"] for row in rows if row["finished_at"] is not None), default=None)
    return Batch(ids, dict(counts), status, last)


def _in_order(rows: Sequence[Any]) -> list[str]:
    """The ids by the place of their items. Runs that were made are in the order of seq at the places that are left by
    those that were found."""
    found = {row["place"]: row["id"] for row in rows if row["place"] is not None}
    made = [row["id"] for row in rows if row["place"] is None]
    ids: list[str] = []
    for run_id in made:
        while len(ids) in found:
            ids.append(found.pop(len(ids)))
        ids.append(run_id)
    return ids + [found[place] for place in sorted(found)]
