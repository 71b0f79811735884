"""Works on bulk actions, a batch of runs at a time, until all are done; also those that an earlier process began."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from ...store import Store
from ..bulk import serve_bulk
from ..run_filters import RunFilter
from ..run_lists import page_of_runs
from .loop import Loop, Write

__all__ = ["BulkActions"]

#: Runs of one transaction: few enough that nobody waits long for it.
BATCH = 50

_decode_filter = msgspec.json.Decoder(RunFilter).decode
_decode_ids = msgspec.json.Decoder(list[str]).decode


class BulkActions(Loop):
    """Works on the bulk actions of all environments in turn. `knows`: see `Sessions.knows`."""

    def __init__(self, write: Write, store: Store, knows: Callable[[str, str], bool | None]) -> None:
        super().__init__("bulk")
        self._write = write
        self._store = store
        self._knows = knows

    def sweep(self) -> bool:
        """Do one batch of the action that has waited longest; whether there was one."""
        rows = self._store.read("next_bulk_action")
        if not rows:
            return False
        row = rows[0]
        env: str = row["env"]
        before: int | None
        if row["ids"] is not None:
            ids = _decode_ids(row["ids"])
            run_ids = ids[row["done"] : row["done"] + BATCH]
            before = row["before_seq"] if row["done"] + BATCH < len(ids) else None
        else:
            page, before = page_of_runs(self._store, env, _decode_filter(row["wanted"]), BATCH, row["before_seq"])
            run_ids = [run["id"] for run in page]
        self._write(
            lambda scene: serve_bulk(scene, row, run_ids, before, lambda task: self._knows(env, task)),
            yields=True,
        )
        return True

    def _tick(self) -> int | None:
        return 0 if self.sweep() else None
