"""The connection that writes lines and spans to PostgreSQL, in transactions of their own."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import msgspec
import psycopg

from ..model.limits import LOG_LINE_CHARS, LOG_LINES_PER_RUN, SPANS_PER_RUN
from ..model.protocol import LogLine, SpanLine
from ..store.postgresql import connect, without_password
from .told import LEVELS, Told, not_kept

__all__ = ["TABLES", "PostgresWriter"]

#: What telemetry is kept in.
TABLES = ("log_lines", "spans", "telemetry_counts")

#: "detentt", as a number: those who write lines take turns, so that their numbers are in the order of the commits and
#: whoever follows by number misses none.
_LOCK = int.from_bytes(b"detentt", "big")
#: Nobody waits for the disk: a crash of the server may take the last moment's lines with it.
_BEGIN = "; ".join(
    (
        "BEGIN",
        "SET LOCAL synchronous_commit = off",
        "SET LOCAL lock_timeout = '20s'",
        "SET LOCAL statement_timeout = '30s'",
        "SET LOCAL idle_in_transaction_session_timeout = '10s'",
    )
)
_COUNTS = (
    "SELECT run_id, lines, spans, dropped_lines, dropped_spans, note FROM detent.telemetry_counts "
    "WHERE run_id = ANY(%(ids)s)"
)
_COPY = "COPY detent.log_lines (run_id, attempt, at, level, message, attributes, span_id, source, env, task) FROM STDIN"
_LINE = (
    "INSERT INTO detent.log_lines (run_id, attempt, at, level, message, attributes, span_id, source, env, task) "
    "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING seq"
)
_SPANS = (
    'INSERT INTO detent.spans (run_id, id, parent_id, attempt, name, kind, start, "end", ok, attributes, env, task) '
    'SELECT run_id, id, parent_id, attempt, name, kind, start, "end", ok, attributes, env, task '
    "FROM json_to_recordset(CAST(%s AS json)) AS r (run_id TEXT, id TEXT, parent_id TEXT, attempt BIGINT, name TEXT, "
    'kind TEXT, start BIGINT, "end" BIGINT, ok BIGINT, attributes TEXT, env TEXT, task TEXT) '
    "ON CONFLICT (run_id, id) DO UPDATE SET parent_id = excluded.parent_id, attempt = excluded.attempt, "
    'name = excluded.name, kind = excluded.kind, start = excluded.start, "end" = excluded."end", ok = excluded.ok, '
    "attributes = excluded.attributes"
)
_PUT_COUNTS = (
    "INSERT INTO detent.telemetry_counts (run_id, lines, spans, dropped_lines, dropped_spans, note) "
    "SELECT run_id, lines, spans, dropped_lines, dropped_spans, note FROM json_to_recordset(CAST(%s AS json)) "
    "AS r (run_id TEXT, lines BIGINT, spans BIGINT, dropped_lines BIGINT, dropped_spans BIGINT, note BIGINT) "
    "ON CONFLICT (run_id) DO UPDATE SET lines = excluded.lines, spans = excluded.spans, "
    "dropped_lines = excluded.dropped_lines, dropped_spans = excluded.dropped_spans, note = excluded.note"
)
#: Runs that are forgotten together, and lines that one statement removes: none takes long.
_RUNS, _LINES = 200, 20_000
_FORGET_LINES = (
    "DELETE FROM detent.log_lines WHERE seq = ANY(ARRAY("  # noqa: S608  # a number
    f"SELECT seq FROM detent.log_lines WHERE run_id = ANY(%(ids)s) LIMIT {_LINES}))"
)
_FORGET = tuple(f"DELETE FROM detent.{table} WHERE run_id = ANY(%(ids)s)" for table in TABLES[1:])  # noqa: S608  # ours

_encode = msgspec.json.Encoder().encode


@dataclass(slots=True)
class _Counts:
    """How much of one run was kept and dropped; `note` is the seq of the line that says so."""

    lines: int = 0
    spans: int = 0
    dropped_lines: int = 0
    dropped_spans: int = 0
    note: int | None = None

    def take(self, told: Told, lines: int, spans: int) -> bool:
        """So many of what was told were kept; whether there was more."""
        more_lines = len(told.emit.logs) - lines + told.emit.dropped
        more_spans = len(told.emit.spans) - spans
        self.lines += lines
        self.spans += spans
        self.dropped_lines += more_lines
        self.dropped_spans += more_spans
        return bool(more_lines or more_spans)


class PostgresWriter:
    """See `Writer`. While the database is away nothing is lost that there is room for."""

    advice = "Nothing has to be done here once the database is back; see `detent doctor`"
    keeps = True
    failures: tuple[type[Exception], ...] = (psycopg.Error,)

    def __init__(self, url: str) -> None:
        self.place = without_password(url)
        self._url = url
        self._db: psycopg.Connection[Any] | None = None
        #: The transaction whose commit was not answered, and what was in it.
        self._unsure: tuple[str, Sequence[Told]] | None = None

    def write(self, told: Sequence[Told], unwanted: Sequence[str]) -> int:
        """See `Writer.write`."""
        db = self._open()
        refused = self._write(db, told) if told else 0
        for start in range(0, len(unwanted), _RUNS):
            self._forget(db, list(unwanted[start : start + _RUNS]))
        return refused

    def reopen(self) -> None:
        """See `Writer.reopen`."""
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(psycopg.Error):
                db.close()

    def close(self) -> None:
        """See `Writer.close`."""
        self.reopen()

    def _open(self) -> psycopg.Connection[Any]:
        if self._db is None:
            self._db = connect(self._url)
            self._db.prepare_threshold = None
        return self._db

    def _write(self, db: psycopg.Connection[Any], told: Sequence[Told]) -> int:
        told = told[self._already(db, told) :]
        if not told:
            return 0
        try:
            self._write_all(db, told)
        except psycopg.DataError:
            # Something in it is not for this database, such as a number that no column holds: that alone is left out.
            db.execute("ROLLBACK")
            if len(told) == 1:
                return told[0].size
            half = len(told) // 2
            return self._write(db, told[:half]) + self._write(db, told[half:])
        return 0

    def _already(self, db: psycopg.Connection[Any], told: Sequence[Told]) -> int:
        """How many of them, from the first on, a commit held whose answer was lost and that came about."""
        if self._unsure is None:
            return 0
        transaction, before = self._unsure
        if len(before) > len(told) or any(one is not other for one, other in zip(before, told, strict=False)):
            return 0
        row = db.execute("SELECT pg_xact_status(CAST(%s AS xid8)) AS status", (transaction,)).fetchone()
        self._unsure = None
        return len(before) if row is not None and row["status"] == "committed" else 0

    def _write_all(self, db: psycopg.Connection[Any], told: Sequence[Told]) -> None:
        db.execute(_BEGIN)
        row = db.execute(f"SELECT pg_advisory_xact_lock({_LOCK}), CAST(pg_current_xact_id() AS TEXT) AS id").fetchone()
        found = db.execute(_COUNTS, {"ids": list({one.emit.run_id for one in told})}).fetchall()
        counts = {run_id: _Counts(*numbers) for run_id, *numbers in found}
        spans: dict[tuple[str, str], dict[str, Any]] = {}
        over: dict[str, Told] = {}
        with db.cursor() as cursor, cursor.copy(_COPY) as copy:
            for one in told:
                kept = counts.setdefault(one.emit.run_id, _Counts())
                lines = one.emit.logs[: max(0, LOG_LINES_PER_RUN - kept.lines)]
                for line in lines:
                    copy.write_row(_line(one, line))
                its_spans = one.emit.spans[: max(0, SPANS_PER_RUN - kept.spans)]
                spans |= {(one.emit.run_id, span.id): _span(one, span) for span in its_spans}
                if kept.take(one, len(lines), len(its_spans)):
                    over[one.emit.run_id] = one
        if spans:
            db.execute(_SPANS, (_encode(list(spans.values())).decode(),))
        for run_id, one in over.items():
            _note(db, one, counts[run_id])
        rows = [{"run_id": run_id, **asdict(kept)} for run_id, kept in counts.items()]
        db.execute(_PUT_COUNTS, (_encode(rows).decode(),))
        self._unsure = (row["id"], told) if row is not None else None
        db.execute("COMMIT")
        self._unsure = None

    def _forget(self, db: psycopg.Connection[Any], ids: list[str]) -> None:
        while db.execute(_FORGET_LINES, {"ids": ids}).rowcount == _LINES:
            pass
        for statement in _FORGET:
            db.execute(statement, {"ids": ids})


def _line(told: Told, line: LogLine) -> tuple[Any, ...]:
    return (
        told.emit.run_id,
        told.emit.attempt,
        line.at,
        LEVELS.get(line.level, 1),
        _text(line.message[:LOG_LINE_CHARS]),
        _text(line.attributes),
        _text(line.span_id),
        _text(line.source),
        told.env,
        told.task,
    )


def _span(told: Told, span: SpanLine) -> dict[str, Any]:
    return {
        "run_id": told.emit.run_id,
        "id": _text(span.id),
        "parent_id": _text(span.parent_id),
        "attempt": told.emit.attempt,
        "name": _text(span.name),
        "kind": _text(span.kind),
        "start": span.start,
        "end": span.end,
        "ok": int(span.ok),
        "attributes": _text(span.attributes),
        "env": told.env,
        "task": told.task,
    }


def _note(db: psycopg.Connection[Any], told: Told, kept: _Counts) -> None:
    emit = told.emit
    message = not_kept(kept.dropped_lines, kept.dropped_spans)
    if kept.note is not None:
        db.execute("UPDATE detent.log_lines SET message = %s WHERE seq = %s", (message, kept.note))
        return
    at = emit.logs[-1].at if emit.logs else emit.spans[-1].end if emit.spans else emit.started_at or 0
    row = (emit.run_id, emit.attempt, at, LEVELS["warn"], message, None, None, "detent", told.env, told.task)
    [(kept.note,)] = db.execute(_LINE, row).fetchall()


def _text(text: str | None) -> str | None:
    """`text` as PostgreSQL can keep it: without NUL, and without halves of characters."""
    if text is None:
        return None
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text
