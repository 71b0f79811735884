"""Lines and spans of runs in a file beside an embedded store."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from threading import Lock
from typing import Any

from ..model.log_query import LineQuery
from ..model.protocol import Emit
from .file import TelemetryFile, widened
from .intake import Intake
from .search import search_lines
from .told import LEVELS, Told, as_line

__all__ = ["TelemetryStore"]

logger = logging.getLogger("detent.telemetry")

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
        self._writer = _FileWriter(path)
        self._intake = Intake(self._writer)
        self._reading = Lock()
        self._reader: sqlite3.Connection | None = None

    def append(self, emit: Emit, env: str = "dev", task: str = "") -> None:
        """See `Telemetry.append`."""
        self._intake.take(Told(emit, env, task))

    def logs(
        self, run_id: str, level: str | None = None, after: int | None = None, limit: int = 1_000
    ) -> list[dict[str, Any]]:
        """See `Telemetry.logs`."""
        self.flush()
        rows = self._read(
            _LOGS,
            {"run_id": run_id, "after": after or 0, "level": LEVELS[level] if level else 0, "limit": limit},
        )
        return [as_line(row) for row in rows]

    def search(self, query: LineQuery) -> tuple[list[dict[str, Any]], int | None]:
        """See `Telemetry.search`."""
        self.flush()
        rows, following = search_lines(self._read, query)
        return [as_line(row) for row in rows], following

    def spans(self, run_id: str) -> list[dict[str, Any]]:
        """See `Telemetry.spans`."""
        self.flush()
        return self._read(_SPANS, {"run_id": run_id})

    def forget(self, run_ids: Sequence[str]) -> None:
        """See `Telemetry.forget`."""
        if self._intake.has_begun or self.path.exists():
            self._intake.forget(run_ids)
            self.flush()

    def flush(self, timeout: float = 5.0) -> bool:
        """See `Telemetry.flush`."""
        return self._intake.flush(timeout)

    def close(self) -> None:
        """See `Telemetry.close`."""
        self._intake.close()
        with self._reading:
            if self._reader is not None:
                self._reader.close()
                self._reader = None

    def _widen(self) -> None:
        """Bring a file of an older version to the present columns, where nobody has written to it yet."""
        if not self._writer.is_open and not widened(self.path):
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
                self._intake.complain(error)
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None
                return []


class _FileWriter:
    """The file, opened when something is written first. What it does not take is lost: a full disk stays full."""

    advice = "Free space or correct the rights of the file"
    keeps = False
    failures: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        self.place = str(path)
        self._path = path
        self._file: TelemetryFile | None = None

    @property
    def is_open(self) -> bool:
        return self._file is not None

    def write(self, told: Sequence[Told], unwanted: Sequence[str]) -> int:
        if self._file is None:
            self._file = TelemetryFile(self._path)
        self._file.write(told)
        if unwanted:
            self._file.forget(unwanted)
        return 0

    def reopen(self) -> None:
        file, self._file = self._file, None
        try:
            if file is not None:
                file.close()
        except sqlite3.Error:
            logger.debug("closing %s failed", self._path, exc_info=True)

    def close(self) -> None:
        self.reopen()
