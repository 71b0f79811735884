"""Objects that nobody names any more are deleted: those of runs that were removed, and what failures left behind."""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import islice

import msgspec

from ...store import Store
from ..clock import Clock
from ..payloads import Objects
from ..scene import Scene
from .loop import Loop, Write

__all__ = ["Leftovers"]

logger = logging.getLogger("detent.engine")

#: Objects that are looked at together.
_BATCH = 500
_EVERY_MS = 60_000
#: How often the store is searched, for the first time some while after the start.
_SEARCH_MS, _FIRST_MS = 24 * 3_600_000, 3_600_000
#: What was written so lately may still be named by a commit that is under way.
_FRESH_MS = 24 * 3_600_000
#: The pause after a delete that failed; it doubles with each.
_PAUSE_MS, _LONGEST_PAUSE_MS = 60_000, 6 * 3_600_000
#: How long a delete that is under way may hold up the end of the process, in seconds. It is done again by the next.
_PATIENCE_S = 2.0

#: Where runs and tokens have their objects, and what is kept of all else is not ours to delete.
_FOLDERS = ("runs", "outputs", "payloads", "waitpoints", "envs")
_OF = re.compile(r"(?:envs/[^/]+/)?(?:runs|outputs|payloads|waitpoints)/((?:run|waitpoint)_[0-9a-f]{32})[./].*")

_encode = msgspec.json.Encoder().encode


class Leftovers(Loop):
    """Deletes what `Retention` has put on the list of removed objects, in batches; what cannot be deleted stays on the
    list and is tried again. Once a day it searches the store for objects of runs and tokens that have ended, which
    nothing names: of attempts that died between the upload and the commit."""

    def __init__(self, write: Write, store: Store, clock: Clock, objects: Objects | None) -> None:
        super().__init__("objects")
        self._write = write
        self._store = store
        self._clock = clock
        self._objects = objects
        self._search_at: int | None = None

    def sweep(self) -> int:
        """Delete one batch of what is on the list; how many were looked at."""
        if self._objects is None:
            return 0
        rows = self._store.read("due_objects", now=self._clock.now(), n=_BATCH)
        if not rows:
            return 0
        keys = [row["key"] for row in rows]
        # A run that was replayed, or forked, shares what it names.
        shared = self._named(keys)
        failed = self._objects.delete_many([key for key in keys if key not in shared])
        if self._stopped:
            return 0
        again: defaultdict[int, list[str]] = defaultdict(list)
        for row in rows:
            if row["key"] in failed:
                again[row["tries"]].append(row["key"])
        if failed:
            cause = next(iter(failed.values()))
            logger.warning("%s objects could not be deleted yet, and are tried again: %s", len(failed), cause)
        done = _encode([key for key in keys if key not in failed]).decode()
        now = self._clock.now()

        def note(scene: Scene) -> None:
            scene.tx.run("drop_removed_objects", keys=done)
            for tries, some in again.items():
                pause = min(_PAUSE_MS * 2 ** min(tries, 20), _LONGEST_PAUSE_MS)
                scene.tx.run("postpone_objects", keys=_encode(some).decode(), due_at=now + pause)

        self._write(note, yields=True)
        return len(rows)

    def search(self) -> int:
        """Delete objects of what has ended that nothing names; how many went."""
        if self._objects is None:
            return 0
        found = self._old()
        deleted = 0
        while not self._stopped and (some := dict(islice(found, _BATCH))):
            owners = _encode(list(set(some.values()))).decode()
            ended = {row["id"] for row in self._store.read("ended_among", ids=owners)}
            keys = [key for key, owner in some.items() if owner in ended]
            shared = self._named(keys)
            lost = [key for key in keys if key not in shared]
            failed = self._objects.delete_many(lost)
            deleted += len(lost) - len(failed)
            if failed:
                return deleted
        return deleted

    def stop(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_S)

    def _old(self) -> Iterator[tuple[str, str]]:
        """Keys that are not fresh, and the ids of the runs and tokens that they were written for."""
        assert self._objects is not None
        before = self._clock.now() - _FRESH_MS
        for folder in _FOLDERS:
            for entry in self._objects.entries(folder):
                owner = _OF.fullmatch(entry.key)
                if owner is not None and entry.modified.timestamp() * 1000 < before:
                    yield entry.key, owner[1]

    def _named(self, keys: Sequence[str]) -> set[str]:
        if not keys:
            return set()
        rows = self._store.read("shared_objects", ids="[]", keys=_encode(keys).decode())
        return {row["key"] for row in rows}

    def _tick(self) -> int | None:
        if self._objects is None:
            return None
        if self.sweep() == _BATCH:
            return 0
        now = self._clock.now()
        if self._search_at is None:
            self._search_at = now + _FIRST_MS
        elif now >= self._search_at:
            self._search_at = now + _SEARCH_MS
            self.search()
        return _EVERY_MS
