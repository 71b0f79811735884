"""Takes what runs write without making them wait, and has it written in batches on a thread of its own."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from threading import Condition, Thread
from typing import Protocol

from .told import Told

__all__ = ["Intake", "Writer"]

logger = logging.getLogger("detent.telemetry")

#: Lines and spans that may wait to be written, and characters of them; beyond it the newest are dropped, so that
#: memory stays bounded.
MOST_WAITING, MOST_CHARS = 200_000, 128_000_000
#: Messages of runs that one transaction writes at most.
MOST_AT_ONCE = 2_000
#: How long a batch gathers before it is written, in seconds.
GATHER_S = 0.02
#: A place that fails is spoken of at most this often; one that is tried again waits so long between, in seconds.
COMPLAIN_S, FIRST_PAUSE_S, LONGEST_PAUSE_S = 60.0, 0.1, 2.0


class Writer(Protocol):
    """Where batches go. `keeps`: whether what could not be written is tried again. `place`, `advice`: for people."""

    place: str
    advice: str
    keeps: bool
    failures: tuple[type[Exception], ...]

    def write(self, told: Sequence[Told], unwanted: Sequence[str]) -> int:
        """Write all of it, and then forget the runs `unwanted`; how many lines and spans it refused. Errors:
        `failures`."""
        ...

    def reopen(self) -> None:
        """Let go of what failed."""
        ...

    def close(self) -> None: ...


class Intake:
    """What waits to be written by `writer`, which only the thread of the intake uses."""

    def __init__(self, writer: Writer, *, gather_s: float = GATHER_S, most_waiting: int = MOST_WAITING) -> None:
        self._writer = writer
        self._gather_s = gather_s
        self._most_waiting = most_waiting
        self._changed = Condition()
        self._waiting: list[Told] = []
        self._unwanted: list[Sequence[str]] = []
        self._size = 0
        self._chars = 0
        self._lost = 0
        self._told_lost = 0
        self._taken = 0
        self._written = 0
        self._closed = False
        self._hurry = False
        self._fails = False
        self._pause = FIRST_PAUSE_S
        self._thread: Thread | None = None
        self._complained_at = -COMPLAIN_S

    @property
    def has_begun(self) -> bool:
        """Whether anything was ever taken."""
        return self._thread is not None

    def take(self, told: Told) -> None:
        """Take it, or drop it where too much waits. Returns at once."""
        chars = _chars(told)
        with self._changed:
            if self._closed:
                return
            if self._size + told.size > self._most_waiting or self._chars + chars > MOST_CHARS:
                self._lost += told.size
                return
            self._waiting.append(told)
            self._size += told.size
            self._chars += chars
            self._taken += 1
            self._begin()
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def forget(self, run_ids: Sequence[str]) -> None:
        """Have these runs forgotten once all that was taken before is written."""
        with self._changed:
            if self._closed:
                return
            self._unwanted.append(run_ids)
            self._taken += 1
            self._begin()

    def flush(self, timeout: float) -> bool:
        """Wait until all that was taken so far is written, or cannot be; whether it is."""
        with self._changed:
            until = self._taken
            if self._written >= until:
                return True
            if self._fails:
                return False
            self._hurry = True
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._written >= until or self._fails, timeout)
            return self._written >= until

    def close(self) -> None:
        """Write what was taken, if that is possible at once."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)

    def complain(self, error: Exception) -> None:
        """Say that the place fails, unless that was said just now."""
        now = time.monotonic()
        if now - self._complained_at < COMPLAIN_S:
            return
        self._complained_at = now
        goes_on = "what runs write meanwhile is kept in memory as far as there is room; " if self._writer.keeps else ""
        logger.warning(
            "logs and spans cannot be written to %s (%s); %s%s lines were lost so far, runs go on. %s",
            self._writer.place,
            " ".join(str(error).split()),
            goes_on,
            f"{self._lost:,}",
            self._writer.advice,
        )

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="detent-telemetry", daemon=True)
            self._thread.start()
        if len(self._unwanted) == 1:
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._unwanted or self._closed)
                if not self._waiting and not self._unwanted:
                    break
                if not self._closed:
                    self._changed.wait_for(lambda: self._hurry or self._closed, self._gather_s)
                batch, self._waiting = self._waiting[:MOST_AT_ONCE], self._waiting[MOST_AT_ONCE:]
                unwanted: list[Sequence[str]] = []
                if not self._waiting:
                    unwanted, self._unwanted = self._unwanted, []
                    self._hurry = False
            error = self._write(batch, unwanted)
            with self._changed:
                if error is not None and self._writer.keeps and not self._closed:
                    self._wait_after(batch, unwanted)
                    continue
                self._settle(batch, unwanted, error)
        self._writer.close()

    def _write(self, batch: list[Told], unwanted: list[Sequence[str]]) -> Exception | None:
        try:
            self._lost += self._writer.write(batch, [run_id for run_ids in unwanted for run_id in run_ids])
        except self._writer.failures as error:
            if not self._writer.keeps:
                self._lost += sum(told.size for told in batch)
            self.complain(error)
            self._writer.reopen()
            return error
        return None

    def _wait_after(self, batch: list[Told], unwanted: list[Sequence[str]]) -> None:
        self._waiting[:0] = batch
        self._unwanted[:0] = unwanted
        self._fails = True
        self._changed.notify_all()
        self._changed.wait_for(lambda: self._closed, self._pause)
        self._pause = min(LONGEST_PAUSE_S, self._pause * 2)

    def _settle(self, batch: list[Told], unwanted: list[Sequence[str]], error: Exception | None) -> None:
        size = sum(told.size for told in batch)
        self._size -= size
        self._chars -= sum(map(_chars, batch))
        self._written += len(batch) + len(unwanted)
        if error is not None and self._writer.keeps and size:
            logger.warning("%s was still away at the end: %s lines and spans are lost", self._writer.place, f"{size:,}")
        elif error is None and (self._fails or self._lost != self._told_lost):
            self._say_again()
        self._pause = FIRST_PAUSE_S
        self._changed.notify_all()

    def _say_again(self) -> None:
        """It was away, or more was written than it could take."""
        self._fails = False
        self._told_lost = self._lost
        self._complained_at = -COMPLAIN_S
        logger.warning(
            "logs and spans are written to %s again; %s lines were lost so far", self._writer.place, f"{self._lost:,}"
        )


def _chars(told: Told) -> int:
    emit = told.emit
    return sum(len(line.message) + len(line.attributes or "") for line in emit.logs) + sum(
        len(span.name) + len(span.attributes or "") for span in emit.spans
    )
