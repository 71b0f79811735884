"""Takes what runs write without making them wait, and writes it in batches on a thread of its own."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from threading import Condition, Lock, Thread
from typing import Any

import msgspec

from ..model.log_query import LineQuery
from ..model.protocol import Emit
from .file import LEVELS, TelemetryFile, Told, widened
from .search import search_lines

__all__ = ["TelemetryStore"]

logger = logging.getLogger("detent.telemetry")

#: Lines and spans that may wait to be written; beyond it the newest are dropped, so that memory stays
# bounded.
MOST_WAITING = 200_000
#: How long a batch gathers before it is written, in seconds.
GATHER_S = 0.02
#: A failing file is tried again and spoken of at most this often, in seconds.
COMPLAIN_S = 60.0

_NAMES = {rank: name for name, rank in LEVELS.items()}
_LOGS = (
    "SELECT seq, at, level, message, attributes, span_id, source, attempt FROM lines "
    "WHERE run_id = :run_id AND seq > :after AND level >= :level ORDER BY seq LIMIT :limit"
)
_SPANS = (
    "SELECT id, parent_id, attempt, name, kind, start, end, ok, attributes FROM spans "
    "WHERE run_id = :run_id ORDER BY start, id"
)


class TelemetryStore:
    """Logs and spans of runs, in a file beside the store. A failing or full disk loses lines, never runs.

    Parameters:
      path: the file; made when something is written first.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._changed = Condition()
        self._waiting: list[Told] = []
        self._unwanted: list[str] = []
        self._size = 0
        self._lost = 0
        self._taken = 0
        self._written = 0
        self._closed = False
        self._hurry = False
        self._thread: Thread | None = None
        self._file: TelemetryFile | None = None
        self._complained_at = -COMPLAIN_S
        self._reading = Lock()
        self._reader: sqlite3.Connection | None = None

    def append(self, emit: Emit, env: str = "dev", task: str = "") -> None:
        """Take what a run of this environment and task wrote. Returns at once; never raises."""
        size = len(emit.logs) + len(emit.spans)
        with self._changed:
            if self._closed:
                return
            if self._size + size > MOST_WAITING:
                self._lost += size
                return
            self._waiting.append(Told(emit, env, task))
            self._size += size
            self._taken += 1
            self._begin()
            if len(self._waiting) == 1:
                self._changed.notify_all()

    def logs(
        self, run_id: str, level: str | None = None, after: int | None = None, limit: int = 1_000
    ) -> list[dict[str, Any]]:
        """Lines of a run, oldest first.

        Parameters:
          level: this one and those above it. `after`: only lines of a higher `seq`. `limit`: most lines.

        Returns dictionaries with seq, at (milliseconds since 1970), level, message, attributes, span_id,
        source and attempt. One line of source ``detent`` says how many were not kept.
        """
        self.flush()
        rows = self._read(
            _LOGS,
            {"run_id": run_id, "after": after or 0, "level": LEVELS[level] if level else 0, "limit": limit},
        )
        return [_line(row) for row in rows]

    def search(self, query: LineQuery) -> tuple[list[dict[str, Any]], int | None]:
        """Lines of all runs of an environment, as `logs` gives them, with `run_id` and `task`; and the seq to go on
        from, None when all was looked at."""
        self.flush()
        rows, following = search_lines(self._read, query)
        return [_line(row) for row in rows], following

    def spans(self, run_id: str) -> list[dict[str, Any]]:
        """Finished spans of a run by their start; times in milliseconds since 1970, attributes as JSON
        text."""
        self.flush()
        return self._read(_SPANS, {"run_id": run_id})

    def forget(self, run_ids: Sequence[str]) -> None:
        """Remove all that was kept of these runs, which have ended; it is gone when this returns, unless the file
        fails."""
        with self._changed:
            if self._closed or (self._thread is None and not self.path.exists()):
                return
            self._unwanted += run_ids
            self._taken += 1
            self._begin()
        self.flush()

    def flush(self, timeout: float = 5.0) -> bool:
        """Wait, at most `timeout` seconds, until all that was taken so far is written; whether it is."""
        with self._changed:
            until = self._taken
            if self._written >= until:
                return True
            self._hurry = True
            self._changed.notify_all()
            return self._changed.wait_for(lambda: self._written >= until, timeout)

    def close(self) -> None:
        """Write what was taken, and let go of the file."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=10)
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _begin(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._run, name="detent-telemetry", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._unwanted or self._closed)
                if not self._waiting and not self._unwanted:
                    break
                if not self._closed:
                    self._changed.wait_for(lambda: self._hurry or self._closed, GATHER_S)
                batch, self._waiting = self._waiting, []
                unwanted, self._unwanted = self._unwanted, []
                until = self._taken
                self._size = 0
                self._hurry = False
            self._write(batch, unwanted)
            with self._changed:
                self._written = until
                self._changed.notify_all()
        if self._file is not None:
            self._file.close()

    def _write(self, batch: list[Told], unwanted: list[str]) -> None:
        try:
            if self._file is None:
                self._file = TelemetryFile(self.path)
            self._file.write(batch)
            if unwanted:
                self._file.forget(unwanted)
        except (sqlite3.Error, OSError) as error:
            self._lost += sum(len(told.emit.logs) + len(told.emit.spans) for told in batch)
            self._complain(error)
            self._reopen()

    def _reopen(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except sqlite3.Error:
            logger.debug("closing %s failed", self.path, exc_info=True)

    def _complain(self, error: Exception) -> None:
        now = time.monotonic()
        if now - self._complained_at >= COMPLAIN_S:
            self._complained_at = now
            logger.warning(
                "logs and spans cannot be written to %s (%s); %s lines were lost so far, runs go on. "
                "Free space or correct the rights of the file",
                self.path,
                error,
                f"{self._lost:,}",
            )

    def _widen(self) -> None:
        """Bring a file of an older version to the present columns, where nobody has written to it yet."""
        if self._file is None and not widened(self.path):
            TelemetryFile(self.path).close()

    def _open(self) -> sqlite3.Connection:
        reader = sqlite3.connect(f"{self.path.absolute().as_uri()}?mode=ro", uri=True, check_same_thread=False)
        reader.row_factory = sqlite3.Row
        reader.execute("PRAGMA busy_timeout = 2000")
        return reader

    def _read(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        with self._reading:
            try:
                if self._reader is None:
                    if not self.path.exists():
                        return []
                    self._widen()
                    self._reader = self._open()
                return [dict(row) for row in self._reader.execute(sql, values)]
            except sqlite3.Error as error:
                self._complain(error)
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None
                return []


def _line(row: dict[str, Any]) -> dict[str, Any]:
    row["level"] = _NAMES[row["level"]]
    row["attributes"] = msgspec.json.decode(row["attributes"]) if row["attributes"] else None
    return row
