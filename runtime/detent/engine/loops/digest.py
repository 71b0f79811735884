"""Reads the history as it grows, a little behind the runs, and decides what people are told."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event

import msgspec

from ...model.redaction import Redactor
from ...store import Store
from ..alert_deliveries import forget_deliveries
from ..alert_rules import rules_of
from ..alert_states import observe, watchers, weigh
from ..alert_windows import close_windows
from ..clock import Clock
from ..digest import begin_digest, digest, ends_wanted
from ..error_groups import FAILED, failure_of, forget_groups
from ..scene import Scene
from .loop import Loop, Write

__all__ = ["Digest"]

#: Ended runs, and windows, of one transaction.
_BATCH = 200
#: Between two looks while runs end, in milliseconds: failures that come together are written together.
_REST_MS = 200
#: How often the states are looked at that somebody watches for, in milliseconds.
_WATCH_MS = 5_000
#: How often what is old is removed, and how old it is then, in milliseconds.
_TIDY_MS = 3_600_000
_KEEP_ERRORS_MS = 90 * 24 * 3_600_000
_KEEP_MESSAGES_MS = 30 * 24 * 3_600_000

_encode = msgspec.json.Encoder().encode


class Digest(Loop):
    """Counts the failures of all environments of a store by their fingerprint, and makes the messages of alerts.

    One process runs it: the server.

    Parameters:
      on_messages: called when there may be messages to send.
      redactor: takes the secrets of an environment, which is given by its name, out of what is kept of errors.
    """

    def __init__(
        self,
        write: Write,
        store: Store,
        clock: Clock,
        on_messages: Callable[[], None] = lambda: None,
        redactor: Callable[[str], Redactor] = lambda _env: Redactor(),
    ) -> None:
        super().__init__("digest")
        self._write = write
        self._store = store
        self._clock = clock
        self._on_messages = on_messages
        self._redactor = redactor
        self._pending = Event()
        self._pending.set()
        self._idle = False
        self._next_tidy = 0
        self._next_watch = 0

    def note_change(self) -> None:
        """Something may have changed: look again, soon. Cheap enough for every commit."""
        if not self._pending.is_set():
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
        rules = rules_of(self._store)
        states = _encode(ends_wanted(rules)).decode()
        rows = self._store.read("list_ended", after=before, upto=upto, states=states, n=_BATCH)
        if len(rows) == _BATCH:
            upto = rows[-1]["seq"]
        # The writer is not kept waiting while fingerprints are taken.
        failures = [failure_of(row, self._redactor(row["env"])) for row in rows if row["state"] in FAILED]
        completed = [row for row in rows if row["state"] not in FAILED]
        self._write(lambda scene: digest(scene, failures, completed, rules, (before, upto)), yields=True)
        return len(rows) == _BATCH

    def close_windows(self) -> int | None:
        """Make the messages that are due; when the next window closes (milliseconds since 1970), or None."""
        while True:
            at = self._store.read("next_window")[0]["at"]
            if at is None or at > self._clock.now():
                return None if at is None else int(at)
            self._write(lambda scene: close_windows(scene, _BATCH), yields=True)

    def watch(self) -> bool:
        """Look at the states that somebody watches for; whether anybody does."""
        rules = watchers(rules_of(self._store))
        known = self._store.read("list_alert_states")
        observed = observe(self._store, rules)
        if observed or known:
            self._write(lambda scene: weigh(scene, rules, observed), yields=True)
        return bool(rules)

    def _tick(self) -> int | None:
        now = self._clock.now()
        if now >= self._next_tidy:
            self._next_tidy = now + _TIDY_MS
            self._write(_tidy, yields=True)
        more = self._read()
        if now >= self._next_watch:
            watched = self.watch()
            # Whoever begins to watch changes something, and so there is another look.
            self._next_watch = now + (_WATCH_MS if watched else 0)
        due = self.close_windows()
        self._on_messages()
        if more:
            return 0
        pauses = [_TIDY_MS if self._idle else _REST_MS]
        if due is not None:
            pauses.append(max(0, due - self._clock.now()))
        if self._next_watch > now:
            pauses.append(self._next_watch - now)
        return min(pauses)

    def _read(self) -> bool:
        """Take in a batch, where anything has changed; whether there is more. Without a change this loop is idle."""
        if not self._pending.is_set():
            # Idle before the last look, so that a change is either seen by it or wakes this loop.
            self._idle = True
            if not self._pending.is_set():
                return False
        self._idle = False
        self._pending.clear()
        if self.sweep():
            self._pending.set()
            return True
        return False


def _tidy(scene: Scene) -> None:
    forget_groups(scene, scene.now - _KEEP_ERRORS_MS, 500)
    forget_deliveries(scene, scene.now - _KEEP_MESSAGES_MS, 500)
