"""Reads the history as it grows, a little behind the runs."""

from __future__ import annotations

from threading import Event

import msgspec

from ...store import Store
from ..clock import Clock
from ..digest import begin_digest, digest
from ..error_groups import FAILED, failure_of, forget_groups
from ..scene import Scene
from .loop import Loop, Write

__all__ = ["Digest"]

#: Ended runs of one transaction.
_BATCH = 200
#: Between two looks while runs end, in milliseconds: failures that come together are written together.
_REST_MS = 200
#: How often what is old is removed, and how old it is then, in milliseconds.
_TIDY_MS = 3_600_000
_KEEP_MS = 90 * 24 * 3_600_000

_encode = msgspec.json.Encoder().encode


class Digest(Loop):
    """Counts the failures of all environments of a store by their fingerprint. One process runs it: the server."""

    def __init__(self, write: Write, store: Store, clock: Clock) -> None:
        super().__init__("digest")
        self._write = write
        self._store = store
        self._clock = clock
        self._pending = Event()
        self._pending.set()
        self._idle = False
        self._next_tidy = 0

    def note_change(self) -> None:
        """Some run may have changed: look again, soon. Cheap enough for every commit."""
        self._pending.set()
        if self._idle:
            self._idle = False
            self.wake()

    def sweep(self) -> bool:
        """Take in one batch of ended runs; whether there may be more."""
        place = self._store.read("find_digest")
        if not place:
            self._write(begin_digest)
            return True
        before = place[0]["seq"]
        upto = self._store.read("last_event_seq")[0]["seq"]
        if upto == before:
            return False
        rows = self._store.read("list_ended", after=before, upto=upto, states=_encode(FAILED).decode(), n=_BATCH)
        if len(rows) == _BATCH:
            upto = rows[-1]["seq"]
        # The writer is not kept waiting while fingerprints are taken.
        failures = [failure_of(row) for row in rows]
        self._write(lambda scene: digest(scene, failures, before, upto), yields=True)
        return len(rows) == _BATCH

    def _tick(self) -> int | None:
        if self._clock.now() >= self._next_tidy:
            self._next_tidy = self._clock.now() + _TIDY_MS
            self._write(self._tidy, yields=True)
        if not self._pending.is_set():
            # Idle before the last look, so that a change is either seen by it or wakes this loop.
            self._idle = True
            if not self._pending.is_set():
                return _TIDY_MS
            self._idle = False
        self._pending.clear()
        if self.sweep():
            self._pending.set()
            return 0
        return _REST_MS

    def _tidy(self, scene: Scene) -> None:
        forget_groups(scene, scene.now - _KEEP_MS, 500)
