"""What no store of detent ever holds, after whatever commit: sentences with SQL for the rows that break them.

    assert not broken(store.read_sql)

`tests.oracle` judges what was; this judges what is.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

__all__ = ["NEVER", "TABLES", "broken", "dump"]

#: Every table with what the engine knows, by what its rows are ordered by.
TABLES = {
    "runs": "seq", "journal": "run_id, key", "children": "run_id, key, place", "waits": "run_id, key",
    "waitpoints": "seq", "duties": "run_id", "debounces": "env, task, key", "idempotency": "env, task, key",
    "batches": "id", "queues": "env, name", "workers": "id", "events": "seq",
}  # fmt: skip

_FINAL = "('COMPLETED', 'FAILED', 'CANCELED', 'CRASHED', 'TIMED_OUT', 'EXPIRED', 'SYSTEM_FAILURE')"

NEVER = {
    "a run executes without a worker that lives": """
        SELECT r.id, r.state, r.worker_id, w.state AS worker FROM runs r LEFT JOIN workers w ON w.id = r.worker_id
        WHERE (r.state = 'EXECUTING') <> (r.worker_id IS NOT NULL)
           OR (r.state = 'EXECUTING' AND w.state IS NOT 'alive' AND w.state IS NOT 'draining')""",
    "a run is reserved for nobody, or for a worker that does not live": """
        SELECT r.id, r.state, r.resume, w.state AS worker FROM runs r LEFT JOIN workers w ON w.id = r.sticky_worker
        WHERE (r.resume = -1 AND r.state = 'QUEUED' AND (r.sticky_until IS NULL OR r.sticky_worker IS NULL))
           OR (r.sticky_worker IS NOT NULL AND w.state IS NOT 'alive')""",
    "a queued run has no lane": """
        SELECT r.id FROM runs r WHERE r.state = 'QUEUED' AND NOT EXISTS (
            SELECT 1 FROM lanes l
            WHERE l.env = r.env AND l.queue = r.queue AND l.concurrency_key = r.concurrency_key)""",
    "a run waits for nothing, or for what has come, or is to be cancelled": """
        SELECT r.id FROM runs r WHERE r.state = 'WAITING' AND r.paused IS NULL AND (
               NOT EXISTS (SELECT 1 FROM waits w WHERE w.run_id = r.id AND w.pending > 0)
            OR EXISTS (SELECT 1 FROM waits w WHERE w.run_id = r.id AND w.pending <= 0)
            OR r.cancel_requested_at IS NOT NULL)""",
    "a run that is paused goes on, or waits": """
        SELECT r.id, r.state FROM runs r WHERE r.paused IS NOT NULL AND r.finished_at IS NULL
           AND (r.state <> 'WAITING' OR EXISTS (SELECT 1 FROM waits w WHERE w.run_id = r.id))""",
    "a wait is left over": """
        SELECT w.run_id, w.key, r.state FROM waits w LEFT JOIN runs r ON r.id = w.run_id
        WHERE r.id IS NULL OR r.finished_at IS NOT NULL OR NOT r.has_waits OR r.state = 'DELAYED'""",
    "a wait for children counts others than those that have not ended": """
        SELECT * FROM (
            SELECT w.run_id, w.key, w.pending, (
                SELECT count(*) FROM children c JOIN runs r ON r.id = c.child_id
                WHERE c.run_id = w.run_id AND c.key = w.key AND r.finished_at IS NULL) AS unfinished
            FROM waits w WHERE w.kind = 'children')
        WHERE pending <> unfinished""",
    "a child will not tell who waits for it": """
        SELECT w.run_id, w.key, c.child_id FROM waits w JOIN children c ON c.run_id = w.run_id AND c.key = w.key
        JOIN runs r ON r.id = c.child_id
        WHERE w.kind = 'children' AND r.finished_at IS NULL AND NOT (c.awaited AND r.awaited)""",
    "a wait for a moment or a token and its entry do not agree": """
        SELECT w.run_id, w.key, w.pending, j.status, j.attempt FROM waits w JOIN runs r ON r.id = w.run_id
        LEFT JOIN journal j ON j.run_id = w.run_id AND j.key = w.key
        WHERE w.kind <> 'children' AND (
               j.kind IS NOT w.kind OR j.attempt <> r.attempt OR w.pending NOT IN (0, 1)
            OR (w.pending = 1) <> (j.status = 'open')
            OR (w.pending = 1 AND w.due_at IS NULL AND w.waitpoint_id IS NULL))""",
    "an open entry has no wait": """
        SELECT j.run_id, j.key FROM journal j JOIN runs r ON r.id = j.run_id AND r.attempt = j.attempt
        WHERE j.kind IN ('time', 'token') AND j.status = 'open' AND r.finished_at IS NULL
          AND NOT EXISTS (SELECT 1 FROM waits w WHERE w.run_id = j.run_id AND w.key = j.key AND w.pending = 1)
          AND NOT EXISTS (SELECT 1 FROM events e WHERE e.run_id = j.run_id AND e.kind = 'pause')""",
    "a wait outlives its waitpoint": """
        SELECT w.run_id, w.key, p.status FROM waits w LEFT JOIN waitpoints p ON p.id = w.waitpoint_id
        WHERE w.waitpoint_id IS NOT NULL AND p.status IS NOT 'WAITING'""",
    "a waitpoint has half an outcome": """
        SELECT id, status, completed_at, due_at FROM waitpoints
        WHERE (status = 'WAITING') <> (completed_at IS NULL) OR (status = 'TIMED_OUT' AND due_at IS NULL)
           OR (status <> 'COMPLETED' AND (output IS NOT NULL OR completed_by IS NOT NULL))""",
    "a journal will not be read": """
        SELECT r.id FROM runs r WHERE r.finished_at IS NULL AND NOT r.has_journal
           AND EXISTS (SELECT 1 FROM journal j WHERE j.run_id = r.id)""",
    "a run has not exactly one end in its history, or none before its end": f"""
        SELECT r.id, r.state, (SELECT count(*) FROM events e WHERE e.run_id = r.id AND e.kind = 'finish') AS ends
        FROM runs r WHERE ends <> (r.state IN {_FINAL}) OR (r.finished_at IS NOT NULL) <> (r.state IN {_FINAL})""",
    "hooks are owed for a run that has not ended, or to somebody dead": """
        SELECT d.run_id FROM duties d LEFT JOIN runs r ON r.id = d.run_id LEFT JOIN workers w ON w.id = d.worker_id
        WHERE r.finished_at IS NULL OR d.status <> r.state OR d.tries >= 3 OR d.epoch < r.epoch
           OR (d.worker_id IS NOT NULL AND (w.state IS 'dead' OR d.epoch = r.epoch))""",
    "something belongs to no run": """
        SELECT 'journal', run_id FROM journal WHERE run_id NOT IN (SELECT id FROM runs)
        UNION ALL SELECT 'children', run_id FROM children WHERE run_id NOT IN (SELECT id FROM runs)
        UNION ALL SELECT 'events', run_id FROM events WHERE run_id NOT IN (SELECT id FROM runs)""",
    "a delayed run has no time, or the time that a run has used is less than none": """
        SELECT id, state, wake_at, used_ms FROM runs WHERE (state = 'DELAYED' AND wake_at IS NULL) OR used_ms < 0""",
}  # fmt: skip

ReadSql = Callable[[str, Mapping[str, Any]], list[Any]]


def broken(read_sql: ReadSql) -> list[str]:
    """The sentences that are not true of a store, with the first rows that show it. `read_sql`: `Store.read_sql`."""
    found = []
    for sentence, sql in NEVER.items():
        rows = read_sql(sql, {})
        if rows:
            found.append(f"{sentence}: {[dict(row) for row in rows[:3]]}")
    return found


def dump(read_sql: ReadSql, *but: str) -> dict[str, list[tuple[Any, ...]]]:
    """All rows of all tables but these."""
    return {
        table: [tuple(row) for row in read_sql(f"SELECT * FROM {table} ORDER BY {order}", {})]
        for table, order in TABLES.items()
        if table not in but
    }
