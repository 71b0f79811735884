"""Finished runs, as an installation has after some weeks."""

from __future__ import annotations

import psycopg

from detent.store.postgresql import PostgresStore

__all__ = ["fill"]

_RUNS = """
INSERT INTO detent.runs (id, env, task, queue, state, epoch, order_at, created_at, queued_at, claimed_at, started_at,
                         finished_at, payload, output)
SELECT 'run_0' || lpad(n::text, 12, '0'), 'dev', 'noop', 'task/noop', 'COMPLETED', 1, n, n, n, n, n, n, '1', '1'
FROM generate_series(1, %s) AS n
"""
_EVENTS = """
INSERT INTO detent.events (run_id, at, kind, state, epoch, attempt)
SELECT 'run_0' || lpad(n::text, 12, '0'), n, kind, state, 1, 1
FROM generate_series(1, %s) AS n
CROSS JOIN (VALUES ('trigger', 'QUEUED'), ('claim', 'EXECUTING'), ('finish', 'COMPLETED')) AS edges (kind, state)
"""


def fill(url: str, runs: int) -> None:
    """Bring the database to the present schema, and put `runs` finished runs with their history into it."""
    PostgresStore(url).close()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(_RUNS, [runs])
        connection.execute(_EVENTS, [runs])
        connection.execute("VACUUM (ANALYZE) detent.runs")
        connection.execute("VACUUM (ANALYZE) detent.events")
        connection.execute("CHECKPOINT")
