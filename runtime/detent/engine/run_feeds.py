"""Feeds of runs: one of them, those that fit a filter, those of a batch."""

from __future__ import annotations

from typing import Any

from ..errors import NotFound
from ..model.status import FINAL
from ..store import Store
from .feeds import Frame, Position, Shapes, end_frame, mark_of, matches, no_run
from .run_filters import RunFilter
from .run_lists import page_of_runs
from .views import status_of

__all__ = ["BatchFeed", "ListFeed", "RunFeed", "now_of"]

#: Runs that the first event of a list shows, and of a batch.
SHOWN, SHOWN_OF_BATCH = 100, 1_000
#: A page looks at a bounded number of runs, and may come back with few; so many are looked at.
_PAGES = 10
#: Beyond so many changes a reader that comes back is shown the present state instead.
_FAR = 20_000
#: Runs that are read together.
_TOGETHER = 500


class RunFeed:
    """One run, until it has ended."""

    def __init__(self, shapes: Shapes, env: str, run_id: str) -> None:
        self.key = ("run", run_id)
        self.shapes = shapes
        self._env = env
        self._run_id = run_id

    def at(self, event_id: str | None) -> Position | None:
        return mark_of(event_id)

    def read(self, position: Position | None) -> tuple[list[Frame], bool]:
        rows = self.shapes.rows([self._run_id], [self._run_id])
        if not rows or rows[0]["env"] != self._env:
            raise no_run(self._run_id)
        [row] = rows
        since = position if position is None or position <= (row["event"], row["note"]) else None
        histories = self.shapes.events([self._run_id])
        allowed = self.shapes.attempts_allowed(rows)
        return self.shapes.run_frames(row, histories[self._run_id], since, allowed), False


class ListFeed:
    """The runs of an environment that fit a filter, and those that come to fit it. It has no end."""

    def __init__(self, shapes: Shapes, env: str, wanted: RunFilter) -> None:
        self.key: tuple[Any, ...] = ("list", env, wanted)
        self.env = env
        self.wanted = wanted
        self.shapes = shapes

    def at(self, event_id: str | None) -> Position | None:
        return mark_of(event_id)

    def read(self, position: Position | None) -> tuple[list[Frame], bool]:
        now = now_of(self.shapes.store)
        if position is None or position > now or _distance(position, now) > _FAR:
            return [self.frame(self._present(), (0, 0), now, snapshot=True)], False
        if position == now:
            return [], False
        changed = self.shapes.store.read("changed_runs", event=position[0], note=position[1], n=_FAR)
        rows = [row for row in self._rows(list(dict.fromkeys(row["run_id"] for row in changed))) if self.has(row)]
        frame = self.frame(rows, position, now)
        # Also without runs: its reader is further on, and need not be told.
        return ([frame] if rows else [frame._replace(data=b"", runs=())]), False

    def has(self, row: Any) -> bool:
        """Whether the run is one of this list."""
        return row["env"] == self.env and matches(row, self.wanted)

    def frame(self, rows: list[Any], before: Position, after: Position, *, snapshot: bool = False) -> Frame:
        """An event with these runs."""
        return self.shapes.list_frame(rows, before, after, more={"snapshot": snapshot})

    def end(self, position: Position) -> list[Frame]:  # noqa: ARG002  # a batch has one
        """The event that ends it, where it has come to its end."""
        return []

    def _present(self) -> list[Any]:
        ids: list[str] = []
        before: int | None = None
        for _ in range(_PAGES):
            rows, before = page_of_runs(self.shapes.store, self.env, self.wanted, SHOWN - len(ids), before)
            ids += [row["id"] for row in rows]
            if before is None or len(ids) >= SHOWN:
                break
        return self.shapes.rows(ids)

    def _rows(self, ids: list[str]) -> list[Any]:
        return [
            row for first in range(0, len(ids), _TOGETHER) for row in self.shapes.rows(ids[first : first + _TOGETHER])
        ]


class BatchFeed(ListFeed):
    """The runs of a batch, and how many are in which state, until all have ended."""

    def __init__(self, shapes: Shapes, env: str, batch_id: str) -> None:
        super().__init__(shapes, env, RunFilter(batch=batch_id))
        self.key = ("batch", batch_id)
        self._id = batch_id

    def read(self, position: Position | None) -> tuple[list[Frame], bool]:
        found = self.shapes.store.read("find_batch", id=self._id)
        if not found or found[0]["env"] != self.env:
            raise NotFound(f"no batch {self._id!r} in this project; its id came with the answer to its trigger")
        frames, more = super().read(position)
        now = frames[-1].after if frames else position or (0, 0)
        return [*frames, *self.end(now)], more

    def frame(self, rows: list[Any], before: Position, after: Position, *, snapshot: bool = False) -> Frame:
        counts = self._counts()
        about = {
            "snapshot": snapshot,
            "id": self._id,
            "total": sum(counts.values()),
            "counts": counts,
            "is_finished": counts.keys() <= FINAL,
        }
        return self.shapes.list_frame(rows, before, after, more=about)

    def end(self, position: Position) -> list[Frame]:
        counts = self._counts()
        if not counts or not counts.keys() <= FINAL:
            return []
        return [end_frame(position, {"id": self._id, "total": sum(counts.values()), "counts": counts})]

    def _present(self) -> list[Any]:
        rows = self.shapes.store.read("runs_of_batch", id=self._id)
        return self._rows([row["id"] for row in rows[:SHOWN_OF_BATCH]])

    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for row in self.shapes.store.read("batch_states", id=self._id):
            status = status_of({"state": row["state"], "attempt_started_at": row["started"] or None})
            counts[status] = counts.get(status, 0) + row["n"]
        return counts


def now_of(store: Store) -> Position:
    """The latest change there is."""
    [row] = store.read("last_changes")
    return row["event"], row["note"]


def _distance(position: Position, now: Position) -> int:
    return (now[0] - position[0]) + (now[1] - position[1])
