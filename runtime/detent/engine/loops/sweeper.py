"""Left-over rows: idempotency keys, debounces and answers whose time is over, workers long dead, hooks nobody runs."""

from __future__ import annotations

from ..debounce import FORGET_AFTER_MS
from ..duties import forget_duties
from ..scene import Scene
from .loop import Loop, Write

__all__ = ["KEPT_MS", "Sweeper"]

#: Rows of each kind that one transaction removes.
_BATCH = 500
_EVERY_MS = 60_000
#: How long the answer to a request with an Idempotency-Key is kept, in milliseconds.
KEPT_MS = 24 * 3_600_000
#: How long a dead worker is remembered, in milliseconds.
_DEAD_MS = 24 * 3_600_000
#: How long a bulk action that has ended is remembered, in milliseconds.
_BULK_MS = 30 * 24 * 3_600_000


class Sweeper(Loop):
    """Removes what nobody will ask for again, once a minute."""

    def __init__(self, write: Write) -> None:
        super().__init__("sweeper")
        self._write = write

    def sweep(self) -> int:
        """Remove one batch of each kind; the size of the largest."""
        return self._write(_sweep, yields=True)

    def _tick(self) -> int | None:
        return 0 if self.sweep() == _BATCH else _EVERY_MS


def _sweep(scene: Scene) -> int:
    return max(
        scene.tx.run("forget_idempotency", now=scene.now, n=_BATCH),
        scene.tx.run("forget_debounces", before=scene.now - FORGET_AFTER_MS, n=_BATCH),
        scene.tx.run("forget_workers", before=scene.now - _DEAD_MS, n=_BATCH),
        scene.tx.run("forget_answers", before=scene.now - KEPT_MS, n=_BATCH),
        scene.tx.run("forget_supervisors", before=scene.now - _DEAD_MS),
        forget_duties(scene, _BATCH),
        scene.tx.run("forget_bulk_actions", before=scene.now - _BULK_MS, n=_BATCH),
    )
