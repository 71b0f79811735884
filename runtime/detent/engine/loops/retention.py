"""Finished runs go when they have been kept as long as the project wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from ...store import Store
from ..clock import Clock
from ..scene import Scene
from .loop import Loop, Write

__all__ = ["OnRemove", "Retention"]

#: Runs removed in one transaction.
_BATCH = 500
_EVERY_MS = 60_000

#: Told, before they go, of runs by their ids.
OnRemove = Callable[[Sequence[str]], None]

#: What belongs to a run, in the order in which it goes.
_PARTS = (
    "journal", "children", "waits", "events", "run_notes", "streams", "stream_chunks", "inputs", "batches", "runs",
)  # fmt: skip

_encode = msgspec.json.Encoder().encode


class Retention(Loop):
    """Removes finished runs older than `keep_ms`, with all that belongs to them; none while that is None.

    A run stays as long as an idempotency key or a debounce leads to it, as long as the runs stay that started it or
    were told its result, and as long as hooks of its are to be run.
    """

    def __init__(
        self, write: Write, store: Store, clock: Clock, keep_ms: int | None, on_remove: OnRemove | None
    ) -> None:
        super().__init__("retention")
        self._write = write
        self._store = store
        self._clock = clock
        self._keep_ms = keep_ms
        self._on_remove = on_remove

    def sweep(self) -> int:
        """Remove one batch; how many runs went."""
        if self._keep_ms is None:
            return 0
        now = self._clock.now()
        rows = self._store.read("old_runs", before=now - self._keep_ms, now=now, n=_BATCH)
        if not rows:
            return 0
        ids = [row["id"] for row in rows]
        if self._on_remove is not None:
            # First of all: whoever is interrupted here finds the runs again, and what is gone already does not matter.
            self._on_remove(ids)
        return self._write(lambda scene: _remove(scene, ids), yields=True)

    def _tick(self) -> int | None:
        if self._keep_ms is None:
            return None
        return 0 if self.sweep() == _BATCH else _EVERY_MS


def _remove(scene: Scene, ids: Sequence[str]) -> int:
    among = _encode(ids).decode()
    # They are deleted afterwards, see `Leftovers`: a store that is slow or away keeps no run, and holds up no commit.
    scene.tx.run("list_removed_objects", ids=among, now=scene.now)
    removed = 0
    for part in _PARTS:
        removed = scene.tx.run(f"remove_{part}", ids=among)
    # The places of the newest events that are gone are given again.
    scene.tx.run("rewind_digest")
    return removed
