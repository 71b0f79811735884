"""A pooler in transaction mode stands between detent and its PostgreSQL: everything works, in few sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.databases import migrated
from tests.servers.pooler import POOLERS, PgBouncer, Pooler
from tests.servers.postgresql import fresh_database, shared_postgresql

from .database_tasks import TASKS
from .fleet import Fleet


@pytest.mark.parametrize("kind", POOLERS[-1:])
def test_runs_steps_and_children_work_through_a_pooler(tmp_path: Path, kind: type[Pooler] | type[PgBouncer]) -> None:
    port = shared_postgresql().port
    with fresh_database(migrated) as url, kind(port, size=4) as pooler:
        settings = {"DETENT_DATABASE_URL": url.replace(f":{port}/", f":{pooler.port}/")}
        with Fleet(tmp_path, TASKS, workers=1, database_url=url, settings=settings) as fleet:
            fleet.trigger("two", list(range(10)))
            fleet.trigger("two-plain", list(range(10)))
            fleet.await_end(40)
            report, again = fleet.judge()
            outputs = fleet.ask("SELECT payload, output FROM runs WHERE task <> 'leaf'")
    assert report.states == {"COMPLETED": 40}
    assert not again
    assert all(int(output) == 3 * int(payload) for payload, output in outputs)
