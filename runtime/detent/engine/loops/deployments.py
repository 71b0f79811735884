"""Deployments that nobody speaks of any more time out, and those whose supervisors went away go on without them."""

from __future__ import annotations

from typing import Any

from ...store import Store
from ..clock import Clock
from ..deployments import TIME_OUT_MS, settle, time_out
from ..scene import Scene
from .loop import Loop, Write

__all__ = ["Deployments"]

#: How often deployments that are under way are looked at, in milliseconds.
_EVERY_MS = 2_000


class Deployments(Loop):
    """Looks after the deployments that are under way; sleeps while there are none."""

    def __init__(self, write: Write, store: Store, clock: Clock) -> None:
        super().__init__("deployments")
        self._write = write
        self._store = store
        self._clock = clock

    def sweep(self) -> int:
        """Look at each of them once; how many there were."""
        rows = self._store.read("open_deployments")
        for row in rows:
            if row["touched_at"] + TIME_OUT_MS <= self._clock.now():
                self._act(row, silent=True)
            elif row["state"] == "DEPLOYING":
                self._act(row, silent=False)
        return len(rows)

    def _act(self, row: Any, *, silent: bool) -> None:
        def act(scene: Scene) -> None:
            there = Scene(scene.tx, scene.now, row["env"], scene.bell)
            if silent:
                time_out(there, row)
            else:
                settle(there)

        self._write(act, verb="deployments")

    def _tick(self) -> int | None:
        return _EVERY_MS if self.sweep() else None
