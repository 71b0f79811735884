"""Which of several engines on one store does the work of each loop."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Sequence
from functools import partial

import msgspec

from ..errors import StoreError
from ..store import Store
from .clock import Clock
from .loops import Loop, Write
from .scene import Scene

__all__ = ["LEAD_MS", "Leaders"]

logger = logging.getLogger("detent.engine")

#: How long an engine leads a loop without saying so again, in milliseconds; and how often it does, in seconds. A loop
#: whose leader was killed thus stands still for four seconds at the most.
LEAD_MS = 3_000
_EVERY_S = 1.0
#: A leader that could not say so stops this much before another may begin, in seconds.
_MARGIN_S = 0.5
#: The longest pause of a loop that leads: others may have written what makes it due earlier, in milliseconds.
_LONGEST_PAUSE_MS = 1_000

_encode = msgspec.json.Encoder().encode


class Leaders:
    """Takes the lead of loops, keeps it, and lets it go at the end.

    The rows of the table ``leaders`` say who leads, until when by the store's clock. Two may still lead for a moment,
    when a process was frozen: every loop may be run twice, since sweeping again changes nothing.

    Parameters:
      loops: these stand still wherever this engine does not lead them.
      holder: the name of this engine, different from all others'.
    """

    def __init__(self, write: Write, store: Store, clock: Clock, loops: Sequence[Loop], holder: str) -> None:
        self._write = write
        self._store = store
        self._clock = clock
        self._loops = {loop.name: loop for loop in loops}
        self._holder = holder
        self._held: frozenset[str] = frozenset()
        self._sure_until = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="detent-leaders", daemon=True)
        for loop in loops:
            loop.leads = partial(self.leads, loop.name)
            loop.longest_pause_ms = _LONGEST_PAUSE_MS

    def leads(self, name: str) -> bool:
        """Whether this engine does the work of the loop of that name now."""
        return name in self._held and time.monotonic() < self._sure_until

    def start(self) -> None:
        """Take what is free at once, and look after it from now on."""
        self._look()
        self._thread.start()

    def stop(self) -> None:
        """Let go of all, so that others need not wait. To be called once the loops have stopped."""
        self._stopped.set()
        if self._thread.ident is not None:
            self._thread.join()
        held, self._held = self._held, frozenset()
        if held:
            try:
                self._write(lambda scene: scene.tx.run("drop_leads", holder=self._holder))
            except StoreError as error:
                logger.info("the lead of %s runs out by itself: %s", ", ".join(sorted(held)), error)

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            try:
                self._look()
            except Exception as error:  # whatever it is, the next look may go well
                logger.debug("the lead of loops is not renewed: %s", error)

    def _look(self) -> None:
        now = self._clock.now()
        taken = {row["name"]: row for row in self._store.read("list_leaders")}
        free = [name for name in self._loops if name not in taken or taken[name]["until"] <= now]
        mine = [name for name, row in taken.items() if row["holder"] == self._holder]
        if not free and not mine:
            self._held = frozenset()
            return
        asked_at = time.monotonic()
        names = _encode(sorted({*free, *mine})).decode()
        held = frozenset(self._write(partial(_take, names=names, holder=self._holder)))
        self._sure_until = asked_at + LEAD_MS / 1000 - _MARGIN_S
        gained, self._held = held - self._held, held
        for name in gained & self._loops.keys():
            self._loops[name].wake()


def _take(scene: Scene, names: str, holder: str) -> list[str]:
    """Lead those of `names` that nobody else leads; which they are."""
    until = scene.now + LEAD_MS
    rows = scene.tx.all("take_leads", names=names, holder=holder, until=until, now=scene.now)
    return [row["name"] for row in rows]
