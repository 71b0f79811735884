"""The second SQLite file: lines and spans of runs, and how many of each run were kept and dropped."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from pathlib import Path

from ..model.limits import LOG_LINE_CHARS, LOG_LINES_PER_RUN, SPANS_PER_RUN
from .told import LEVELS, Told, not_kept

__all__ = ["TelemetryFile", "widened"]

_SCHEMA = """
CREATE TABLE IF NOT EXISTS lines (
    seq        INTEGER PRIMARY KEY,
    run_id     TEXT    NOT NULL,
    attempt    INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    level      INTEGER NOT NULL,
    message    TEXT    NOT NULL,
    attributes TEXT,
    span_id    TEXT,
    source     TEXT    NOT NULL,
    env        TEXT    NOT NULL DEFAULT 'dev',
    task       TEXT    NOT NULL DEFAULT ''
);
CREATE INDEX IF NOT EXISTS lines_of_run ON lines (run_id, seq);
CREATE TABLE IF NOT EXISTS spans (
    run_id     TEXT    NOT NULL,
    id         TEXT    NOT NULL,
    parent_id  TEXT,
    attempt    INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    kind       TEXT    NOT NULL,
    start      INTEGER NOT NULL,
    end        INTEGER NOT NULL,
    ok         INTEGER NOT NULL,
    attributes TEXT,
    env        TEXT    NOT NULL DEFAULT 'dev',
    task       TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (run_id, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS kept (
    run_id        TEXT PRIMARY KEY,
    lines         INTEGER NOT NULL,
    spans         INTEGER NOT NULL,
    dropped_lines INTEGER NOT NULL,
    dropped_spans INTEGER NOT NULL,
    note          INTEGER
) WITHOUT ROWID;
"""
#: What lines are searched by. A file that an older version made gets its columns first.
_INDEXES = """
CREATE INDEX IF NOT EXISTS lines_of_env  ON lines (env, seq);
CREATE INDEX IF NOT EXISTS lines_of_task ON lines (env, task, seq);
CREATE INDEX IF NOT EXISTS lines_amiss   ON lines (env, seq) WHERE level >= 2;
"""
_LINE = (
    "INSERT INTO lines (run_id, attempt, at, level, message, attributes, span_id, source, env, task) "
    "VALUES (?,?,?,?,?,?,?,?,?,?)"
)
_SPAN = (
    "INSERT OR REPLACE INTO spans (run_id, id, parent_id, attempt, name, kind, start, end, ok, attributes, env, task) "
    "VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
)
_KEPT = "INSERT OR REPLACE INTO kept (run_id, lines, spans, dropped_lines, dropped_spans, note) VALUES (?,?,?,?,?,?)"
_FORGET = tuple(f"DELETE FROM {table} WHERE run_id = ?" for table in ("lines", "spans", "kept"))  # noqa: S608  # ours
#: What a file of an older version lacks, in each of these tables.
_TABLES, _WIDER = ("lines", "spans"), {"env", "task"}
#: Runs whose counts are remembered between batches.
_REMEMBERED = 4_096


class _Counts:
    """How much of one run was kept and dropped; `note` is the seq of the line that says so."""

    __slots__ = ("dropped_lines", "dropped_spans", "lines", "note", "spans")

    def __init__(
        self,
        lines: int = 0,
        spans: int = 0,
        dropped_lines: int = 0,
        dropped_spans: int = 0,
        note: int | None = None,
    ) -> None:
        self.lines = lines
        self.spans = spans
        self.dropped_lines = dropped_lines
        self.dropped_spans = dropped_spans
        self.note = note


def widened(path: Path) -> bool:
    """Whether a file has all columns of this version. Errors: `sqlite3.Error`."""
    db = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        return all({row[1] for row in db.execute(f"PRAGMA table_info({table})")} >= _WIDER for table in _TABLES)
    finally:
        db.close()


class TelemetryFile:
    """The connection that writes. Used by one thread."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._counts: OrderedDict[str, _Counts] = OrderedDict()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = NORMAL",
            "busy_timeout = 2000",
            "cache_size = -4000",
        ):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_SCHEMA)
        self._widen()
        self._db.executescript(_INDEXES)

    def write(self, told: Iterable[Told]) -> None:
        """Write all that was `told`, in one transaction. Errors: `sqlite3.Error`, and nothing was written."""
        self._db.execute("BEGIN IMMEDIATE")
        touched: dict[str, _Counts] = {}
        try:
            for one in told:
                touched[one.emit.run_id] = self._write_one(one, touched)
            self._db.executemany(
                _KEPT,
                [(run_id, c.lines, c.spans, c.dropped_lines, c.dropped_spans, c.note) for run_id, c in touched.items()],
            )
            self._db.execute("COMMIT")
        except BaseException:
            # The counts in memory have run ahead of the file.
            self._counts.clear()
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def forget(self, run_ids: Sequence[str]) -> None:
        """Remove all that was kept of these runs, in one transaction. Errors: `sqlite3.Error`."""
        ids = [(run_id,) for run_id in run_ids]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for sql in _FORGET:
                self._db.executemany(sql, ids)
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        for run_id in run_ids:
            self._counts.pop(run_id, None)

    def close(self) -> None:
        self._db.close()

    def _widen(self) -> None:
        for table in _TABLES:
            known = {row[1] for row in self._db.execute(f"PRAGMA table_info({table})")}
            for column in sorted(_WIDER - known):
                usual = "dev" if column == "env" else ""
                self._db.execute(f"ALTER TABLE {table} ADD COLUMN {column} TEXT NOT NULL DEFAULT '{usual}'")

    def _write_one(self, told: Told, touched: dict[str, _Counts]) -> _Counts:
        emit = told.emit
        counts = touched.get(emit.run_id) or self._counts_of(emit.run_id)
        lines = emit.logs[: max(0, LOG_LINES_PER_RUN - counts.lines)]
        spans = emit.spans[: max(0, SPANS_PER_RUN - counts.spans)]
        self._db.executemany(
            _LINE,
            [
                (
                    emit.run_id,
                    emit.attempt,
                    line.at,
                    LEVELS.get(line.level, 1),
                    line.message[:LOG_LINE_CHARS],
                    line.attributes,
                    line.span_id,
                    line.source,
                    told.env,
                    told.task,
                )
                for line in lines
            ],
        )
        self._db.executemany(
            _SPAN,
            [
                (
                    emit.run_id,
                    s.id,
                    s.parent_id,
                    emit.attempt,
                    s.name,
                    s.kind,
                    s.start,
                    s.end,
                    s.ok,
                    s.attributes,
                    told.env,
                    told.task,
                )
                for s in spans
            ],
        )
        counts.lines += len(lines)
        counts.spans += len(spans)
        more_lines = len(emit.logs) - len(lines) + emit.dropped
        more_spans = len(emit.spans) - len(spans)
        if more_lines or more_spans:
            counts.dropped_lines += more_lines
            counts.dropped_spans += more_spans
            self._note(told, counts)
        return counts

    def _note(self, told: Told, counts: _Counts) -> None:
        emit = told.emit
        message = not_kept(counts.dropped_lines, counts.dropped_spans)
        if counts.note is not None:
            self._db.execute("UPDATE lines SET message = ? WHERE seq = ?", (message, counts.note))
            return
        at = emit.logs[-1].at if emit.logs else emit.spans[-1].end if emit.spans else emit.started_at or 0
        row = (emit.run_id, emit.attempt, at, LEVELS["warn"], message, None, None, "detent", told.env, told.task)
        counts.note = self._db.execute(_LINE, row).lastrowid

    def _counts_of(self, run_id: str) -> _Counts:
        counts = self._counts.get(run_id)
        if counts is None:
            row = self._db.execute(
                "SELECT lines, spans, dropped_lines, dropped_spans, note FROM kept WHERE run_id = ?",
                (run_id,),
            ).fetchone()
            counts = self._counts[run_id] = _Counts(*(row or ()))
            if len(self._counts) > _REMEMBERED:
                self._counts.popitem(last=False)
        return counts
