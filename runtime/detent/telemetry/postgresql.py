"""Lines and spans of runs in a PostgreSQL database, which all servers and workers of an installation share."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from threading import Lock
from typing import Any

import psycopg

from ..model.log_query import LineQuery
from ..model.protocol import Emit
from ..store.dialect import for_postgresql
from ..store.postgresql import connect
from .intake import Intake
from .postgresql_writer import TABLES, PostgresWriter
from .search import search_lines
from .told import LEVELS, Told, as_line

__all__ = ["PostgresTelemetry"]

#: How long a batch gathers before it is written, in seconds: each costs the server a transaction.
GATHER_S = 0.05
#: Each read by itself; a search is made of many.
_BEGIN = "BEGIN READ ONLY; SET LOCAL statement_timeout = '15s'"

_LOGS = (
    "SELECT seq, at, level, message, attributes, span_id, source, attempt FROM log_lines "
    "WHERE run_id = :run_id AND seq > :after AND level >= :level ORDER BY seq LIMIT :limit"
)
_SPANS = (
    'SELECT id, parent_id, attempt, name, kind, start, "end", ok, attributes FROM spans '
    "WHERE run_id = :run_id ORDER BY start, id"
)


class PostgresTelemetry:
    """Logs and spans of runs, in the schema ``detent`` of a database, on connections apart from those of the store.

    While the database is away, what runs write waits in memory, up to 200,000 lines and spans or 128 MB of text; what
    comes then is dropped, and the log says how much.

    Parameters:
      url: of the database, which the store has brought to the present schema.
    """

    #: There is no file.
    path = None

    def __init__(self, url: str) -> None:
        self._url = url
        self._intake = Intake(PostgresWriter(url), gather_s=GATHER_S)
        self._reading = Lock()
        self._reader: psycopg.Connection[Any] | None = None
        self._closed = False

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
        rows, following = search_lines(self._read, query, table="log_lines")
        return [as_line(row) for row in rows], following

    def spans(self, run_id: str) -> list[dict[str, Any]]:
        """See `Telemetry.spans`."""
        self.flush()
        return self._read(_SPANS, {"run_id": run_id})

    def forget(self, run_ids: Sequence[str]) -> None:
        """See `Telemetry.forget`. While the database is away, it is done once that is back."""
        if run_ids:
            self._intake.forget(run_ids)
            self.flush()

    def flush(self, timeout: float = 5.0) -> bool:
        """See `Telemetry.flush`."""
        return self._intake.flush(timeout)

    def close(self) -> None:
        """See `Telemetry.close`."""
        self._intake.close()
        with self._reading:
            self._closed = True
            self._drop()

    def _read(self, sql: str, values: dict[str, Any]) -> list[dict[str, Any]]:
        text = for_postgresql(sql, TABLES).encode()
        with self._reading:
            for is_last in (False, True):
                if self._closed:
                    return []
                try:
                    return self._ask(text, values)
                except psycopg.Error as error:
                    self._drop()
                    # A connection that stood idle may have been lost with a restart of the server.
                    if is_last or not isinstance(error, psycopg.OperationalError):
                        self._intake.complain(error)
                        return []
        return []

    def _ask(self, text: bytes, values: dict[str, Any]) -> list[dict[str, Any]]:
        if self._reader is None:
            self._reader = connect(self._url)
            self._reader.prepare_threshold = None
        self._reader.execute(_BEGIN)
        try:
            return [dict(row) for row in self._reader.execute(text, values).fetchall()]
        finally:
            if not self._reader.broken:
                self._reader.execute("ROLLBACK")

    def _drop(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            with contextlib.suppress(psycopg.Error):
                reader.close()
