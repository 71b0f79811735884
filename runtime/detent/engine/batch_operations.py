"""What clients can ask about batches. Answers are plain JSON values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..errors import InvalidOptions, NotFound
from ..model.ids import is_id
from ..model.limits import BATCH_ITEMS
from . import views
from .batches import Batch, read_batch
from .engine import Engine
from .payloads import Objects, read_json
from .queries import PageSize, whole

__all__ = ["BatchOperations"]

#: Most batches, or results, of a page.
PAGE = 100

Place = Annotated[int, Meta(ge=0, le=BATCH_ITEMS)]


class BatchOperations:
    """The operations on the batches of one engine; large outputs come from `objects`."""

    def __init__(self, engine: Engine, objects: Objects | None) -> None:
        self._engine = engine
        self._objects = objects
        self.by_name: dict[str, Callable[..., Any]] = {
            "batches.list": self.list_batches,
            "batches.retrieve": self.retrieve_batch,
            "batches.results": self.results_of_batch,
        }

    def list_batches(self, *, limit: PageSize = 25, cursor: str | None = None) -> dict[str, Any]:
        """Batches, newest first."""
        n = whole("limit", limit, 1, PAGE)
        if cursor is not None and not is_id("batch", cursor):
            raise InvalidOptions(f"cursor must be what the page before gave as next_cursor, got {cursor!r}")
        before = "batch_g" if cursor is None else cursor
        rows = self._engine.store.read("view_batches", env=self._engine.env, before=before, n=n + 1)
        items = [_summary(row, self._read(row["id"])) for row in rows[:n]]
        return {"items": items, "next_cursor": items[-1]["id"] if len(rows) > n else None}

    def retrieve_batch(
        self, *, id: str, limit: Annotated[int, Meta(ge=1, le=BATCH_ITEMS)] = PAGE, cursor: Place | None = None
    ) -> dict[str, Any]:
        """How a batch stands, and the ids of its runs in the order of the items, a page of them."""
        row, batch = self._found(id)
        first = 0 if cursor is None else whole("cursor", cursor, 0, BATCH_ITEMS)
        ids, more = _page(batch, first, whole("limit", limit, 1, BATCH_ITEMS))
        return _summary(row, batch) | {"runs": ids, "next_cursor": more}

    def results_of_batch(self, *, id: str, limit: PageSize = 25, cursor: Place | None = None) -> dict[str, Any]:
        """How the runs of a batch stand, in the order of the items, with outputs and errors once they have ended."""
        _, batch = self._found(id)
        first = 0 if cursor is None else whole("cursor", cursor, 0, BATCH_ITEMS)
        ids, more = _page(batch, first, whole("limit", limit, 1, PAGE))
        among = msgspec.json.encode(ids).decode()
        rows = {row["id"]: row for row in self._engine.store.read("view_results", ids=among)}
        return {"items": [self._result(rows[run_id]) for run_id in ids if run_id in rows], "next_cursor": more}

    def _result(self, row: Any) -> dict[str, Any]:
        ended = views.is_final(row)
        return {
            "id": row["id"],
            "task": row["task"],
            "status": views.status_of(row),
            "ok": row["state"] == "COMPLETED" if ended else None,
            "output": read_json(self._objects, row["output"], row["output_ref"]) if ended else None,
            "error": views.error_view(row["error"]) if ended else None,
        }

    def _found(self, batch_id: str) -> tuple[Any, Batch]:
        rows = self._engine.store.read("find_batch", id=batch_id)
        if not rows or rows[0]["env"] != self._engine.env:
            raise NotFound(f"no batch {batch_id!r} in this project; list them with `detent batches list`")
        return rows[0], self._read(batch_id)

    def _read(self, batch_id: str) -> Batch:
        return read_batch(self._engine.store, self._engine.env, batch_id)


def _page(batch: Batch, first: int, most: int) -> tuple[list[str], str | None]:
    last = first + most
    return batch.run_ids[first:last], str(last) if last < len(batch.run_ids) else None


def _summary(row: Any, batch: Batch) -> dict[str, Any]:
    return {
        "id": row["id"],
        "status": batch.status,
        "total": row["total"],
        "counts": batch.counts,
        "parent_id": row["parent_id"],
        "created_at": views.iso(row["created_at"]),
        "finished_at": views.iso(batch.finished_at),
    }
