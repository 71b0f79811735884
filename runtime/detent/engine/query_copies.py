"""What the views of queries are made of where the runs are in PostgreSQL."""

from __future__ import annotations

from dataclasses import replace

from ..model.status import Status
from ..store.sandbox import SandboxView
from ..store.sandbox_postgresql import Relation
from .query_tables import ENDS, QUERY_VIEWS

__all__ = ["COPIED_VIEWS", "RELATIONS"]


def _columns(texts: str, numbers: str, reals: str = "") -> dict[str, str]:
    kinds = (("TEXT", texts), ("INTEGER", numbers), ("REAL", reals))
    return {name: kind for kind, names in kinds for name in names.split()}


_RUNS = Relation(
    "runs",
    _columns(
        "env id task state queue concurrency_key version machine error tags parent_id root_id batch_id replay_of "
        "worker_id",
        "seq attempt max_attempts crashes created_at queued_at started_at finished_at wake_at attempt_started_at "
        "used_ms",
        "priority",
    ),
    # What is shown of the start of an attempt is whether there was one, of a run that executes.
    """(SELECT r.env, r.id, r.task, r.state, r.queue, r.concurrency_key, r.version, r.machine, r.error, r.tags,
               r.parent_id, r.root_id, r.batch_id, r.replay_of, r.worker_id, r.seq, r.attempt, r.max_attempts,
               r.crashes, r.created_at, r.queued_at, r.started_at, r.finished_at, r.wake_at, r.used_ms, r.priority,
               CASE WHEN r.state = 'EXECUTING' AND r.attempt_started_at IS NOT NULL THEN CAST(1 AS BIGINT) END
                 AS attempt_started_at
        FROM detent.runs r) x""",
    {"status": ("state", {status.value: status.value for status in Status} | {"DEQUEUED": "EXECUTING"})},
    frozenset(
        [
            "task",
            "state",
            "queue",
            "version",
            "machine",
            "attempt",
            "max_attempts",
            "crashes",
            "priority",
            "attempt_started_at",
        ]
    ),
)
_ATTEMPTS = Relation(
    "ended_attempts",
    _columns("env run_id task kind state data last_error worker_id", "number began ended"),
    f"""(
    SELECT r.env, e.run_id, r.task, e.kind, e.state, e.data, r.error AS last_error, b.worker_id, b.attempt AS number,
           b.at AS began, e.at AS ended
    FROM detent.events e JOIN detent.runs r ON r.id = e.run_id CROSS JOIN LATERAL (
        SELECT c.worker_id, c.attempt, c.at FROM detent.events c
        WHERE c.run_id = e.run_id AND c.kind = 'claim' AND c.seq < e.seq
          AND c.seq > coalesce((SELECT max(p.seq) FROM detent.events p
                                WHERE p.run_id = e.run_id AND p.seq < e.seq AND p.kind IN {ENDS}), 0)
        ORDER BY c.seq LIMIT 1) b
    WHERE e.kind IN {ENDS}) x""",  # noqa: S608  # ours
    few=frozenset({"task", "kind", "state", "number", "worker_id"}),
)
_SPANS = Relation(
    "spans",
    _columns("env run_id id parent_id task name kind attributes", "attempt start end ok"),
    "detent.spans x",
    few=frozenset({"task", "kind", "attempt", "ok"}),
)
_LINES = Relation(
    "lines",
    _columns("env run_id task message attributes source span_id", "seq attempt at level"),
    "detent.log_lines x",
    {"level": ("level", {"debug": 0, "info": 1, "warn": 2, "error": 3})},
    frozenset({"task", "attempt", "level", "source"}),
)
RELATIONS = (_RUNS, _ATTEMPTS, _SPANS, _LINES)


def _copied(view: SandboxView) -> SandboxView:
    """The view over what is copied for a query: all of it in one file, attempts put together by PostgreSQL. What is
    copied belongs to the environment."""
    if view.name != "attempts":
        return replace(view, source=view.source.replace("@telemetry", "@store"), where="1", file="@store")
    columns = {name: _of_attempts(expression) for name, expression in view.columns.items()}
    return replace(view, columns=columns, source="@store.ended_attempts a", where="1")


def _of_attempts(expression: str) -> str:
    for there, here in (("b.attempt", "a.number"), ("b.at", "a.began"), ("b.worker_id", "a.worker_id")):
        expression = expression.replace(there, here)
    return expression


COPIED_VIEWS = tuple(map(_copied, QUERY_VIEWS))
