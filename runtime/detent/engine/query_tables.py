"""The views that queries are asked of, and what their columns mean."""

from __future__ import annotations

from typing import Any

from ..store.sandbox import SandboxView

__all__ = ["ENDS", "QUERY_VIEWS", "describe_views"]

#: A column: its type, its expression, what it is.
_Column = tuple[str, str, str]


def _moment(column: str) -> str:
    """Milliseconds as text that compares with what `datetime` gives."""
    return f"strftime('%Y-%m-%d %H:%M:%f', {column} / 1000.0, 'unixepoch')"


def _time(column: str, about: str) -> _Column:
    return ("TEXT", _moment(column), f"{about} (UTC, such as 2026-11-22 09:00:00.000)")


_STATUS = "CASE WHEN r.state = 'EXECUTING' AND r.attempt_started_at IS NULL THEN 'DEQUEUED' ELSE r.state END"

_RUNS: dict[str, _Column] = {
    "id": ("TEXT", "r.id", "the run"),
    "task": ("TEXT", "r.task", "its task"),
    "status": ("TEXT", _STATUS, "such as QUEUED, EXECUTING, COMPLETED, FAILED"),
    "queue": ("TEXT", "r.queue", "its queue"),
    "concurrency_key": ("TEXT", "r.concurrency_key", "the tenant, user ... within the queue; empty without one"),
    "version": ("TEXT", "r.version", "the version of the code that ran it"),
    "attempt": ("INTEGER", "r.attempt", "the attempt it is at"),
    "max_attempts": ("INTEGER", "r.max_attempts", "attempts allowed, where the trigger said so"),
    "crashes": ("INTEGER", "r.crashes", "workers lost without progress"),
    "priority": ("REAL", "r.priority", "seconds by which it goes before others"),
    "machine": ("TEXT", "r.machine", "what it needs, where its trigger says so"),
    "created_at": _time("r.created_at", "when it was triggered"),
    "queued_at": _time("r.queued_at", "when it was queued"),
    "started_at": _time("r.started_at", "when its code began"),
    "finished_at": _time("r.finished_at", "when it ended"),
    "delayed_until": _time("r.wake_at", "when it starts, of one that is delayed"),
    "queued_ms": ("INTEGER", "r.started_at - coalesce(r.queued_at, r.created_at)", "from queue to start"),
    "duration_ms": ("INTEGER", "r.used_ms", "executing time of the latest attempt, without waits"),
    "total_ms": ("INTEGER", "r.finished_at - r.created_at", "from trigger to end"),
    "error_type": ("TEXT", "json_extract(r.error, '$.type')", "class of the error"),
    "error_message": ("TEXT", "@text(json_extract(r.error, '$.message'))", "its text"),
    "error_code": ("TEXT", "json_extract(r.error, '$.code')", "cause that detent knows, such as timed_out"),
    "tags": ("TEXT", "r.tags", "JSON list; use json_each"),
    "parent_id": ("TEXT", "r.parent_id", "the run that started it"),
    "root_id": ("TEXT", "r.root_id", "the first of its family"),
    "batch_id": ("TEXT", "r.batch_id", "its batch"),
    "replay_of": ("TEXT", "r.replay_of", "the run that it repeats"),
    "worker_id": ("TEXT", "r.worker_id", "the worker that executes it now"),
}

#: What ends an attempt.
ENDS = "('retry', 'lose_lease', 'out_of_memory', 'release', 'finish')"
_ATTEMPTS_SOURCE = f"""(
    SELECT e.run_id AS run_id, r.env AS env, r.task AS task, e.kind AS kind, e.state AS state, e.at AS ended,
           e.data AS data, r.error AS last_error,
           (SELECT c.seq FROM @store.events c WHERE c.run_id = e.run_id AND c.kind = 'claim' AND c.seq < e.seq
              AND c.seq > coalesce((SELECT max(p.seq) FROM @store.events p WHERE p.run_id = e.run_id AND p.seq < e.seq
                                      AND p.kind IN {ENDS}), 0) ORDER BY c.seq LIMIT 1) AS claim
    FROM @store.events e JOIN @store.runs r ON r.id = e.run_id WHERE e.kind IN {ENDS}) a
  JOIN @store.events b ON b.seq = a.claim"""  # noqa: S608  # ours
_OUTCOME = (
    "CASE a.kind WHEN 'finish' THEN a.state WHEN 'retry' THEN 'RETRY' WHEN 'lose_lease' THEN 'LOST' "
    "WHEN 'out_of_memory' THEN 'OUT_OF_MEMORY' ELSE 'RELEASED' END"
)
_ERROR = "CASE a.kind WHEN 'finish' THEN a.last_error ELSE json_extract(a.data, '$.error') END"

_ATTEMPTS: dict[str, _Column] = {
    "run_id": ("TEXT", "a.run_id", "the run"),
    "task": ("TEXT", "a.task", "its task"),
    "number": ("INTEGER", "b.attempt", "1 for the first; the same again after a lost worker"),
    "outcome": ("TEXT", _OUTCOME, "the status it ended with, or RETRY, LOST, OUT_OF_MEMORY, RELEASED"),
    "started_at": _time("b.at", "when a worker took it"),
    "ended_at": _time("a.ended", "when it ended; attempts that go on are not shown"),
    "duration_ms": ("INTEGER", "a.ended - b.at", "from start to end, with waits"),
    "worker_id": ("TEXT", "b.worker_id", "who executed it"),
    "error_type": ("TEXT", f"json_extract({_ERROR}, '$.type')", "class of the error"),
    "error_message": ("TEXT", f"@text(json_extract({_ERROR}, '$.message'))", "its text"),
}

_SPANS: dict[str, _Column] = {
    "run_id": ("TEXT", "s.run_id", "the run"),
    "id": ("TEXT", "s.id", "the span"),
    "parent_id": ("TEXT", "s.parent_id", "the span it lies in"),
    "task": ("TEXT", "s.task", "the run's task"),
    "attempt": ("INTEGER", "s.attempt", "the attempt that wrote it"),
    "name": ("TEXT", "@text(s.name)", "its name"),
    "kind": ("TEXT", "s.kind", "user, hook, retry ..."),
    "started_at": _time("s.start", "when it began"),
    "ended_at": _time("s.end", "when it ended"),
    "duration_ms": ("INTEGER", "s.end - s.start", "from start to end"),
    "ok": ("INTEGER", "s.ok", "1 unless it raised"),
    "attributes": ("TEXT", "@json(s.attributes)", "JSON object"),
}

_LOGS: dict[str, _Column] = {
    "seq": ("INTEGER", "l.seq", "grows with each line"),
    "run_id": ("TEXT", "l.run_id", "the run that wrote it"),
    "task": ("TEXT", "l.task", "its task"),
    "attempt": ("INTEGER", "l.attempt", "the attempt that wrote it"),
    "at": _time("l.at", "when"),
    "level": (
        "TEXT",
        "CASE l.level WHEN 0 THEN 'debug' WHEN 1 THEN 'info' WHEN 2 THEN 'warn' ELSE 'error' END",
        "debug, info, warn, error",
    ),
    "message": ("TEXT", "@text(l.message)", "the text"),
    "attributes": ("TEXT", "@json(l.attributes)", "JSON object"),
    "source": ("TEXT", "l.source", "logger, print, logging, or detent itself"),
    "span_id": ("TEXT", "l.span_id", "the span it was written in"),
}

_ABOUT: dict[str, tuple[str, dict[str, _Column]]] = {
    "runs": ("Runs, one row each.", _RUNS),
    "attempts": ("Attempts of runs that have ended.", _ATTEMPTS),
    "spans": ("Finished spans that runs wrote.", _SPANS),
    "logs": ("Lines that runs wrote.", _LOGS),
}


def _view(name: str, source: str, where: str, file: str = "@store") -> SandboxView:
    return SandboxView(name, {column: about[1] for column, about in _ABOUT[name][1].items()}, source, where, file)


#: What a query can name. The unary plus leaves the index to what the query itself asks for, such as one run.
QUERY_VIEWS = (
    _view("runs", "@store.runs r", "r.env = :env"),
    _view("attempts", _ATTEMPTS_SOURCE, "a.env = :env"),
    _view("spans", "@telemetry.spans s", "+s.env = :env", "@telemetry"),
    _view("logs", "@telemetry.lines l", "+l.env = :env", "@telemetry"),
)


def describe_views() -> list[dict[str, Any]]:
    """The views with their columns, for people and assistants."""
    return [
        {
            "name": name,
            "description": about,
            "columns": [
                {"name": column, "type": kind, "description": text} for column, (kind, _, text) in columns.items()
            ],
        }
        for name, (about, columns) in _ABOUT.items()
    ]
