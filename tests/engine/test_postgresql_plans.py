"""What the planner of PostgreSQL makes of the statements on the way of a claim, an end or a timer.

Its plans are kept. They are looked at in the worst place for them: many runs are finished, and it was counted when
nothing was queued or executed.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from tests.engine.bench import Bench
from tests.engine.test_plans import HOT, MADE_FOR
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database
from tests.store.test_statements import numbered, sent_types

from detent.store.postgresql import PostgresStore
from detent.store.statements import statements

FINISHED = 10_000
NAMES = {20: "BIGINT", 25: "TEXT", 701: "FLOAT8"}
#: They look for the first of few, in the order of a small index.
FIRSTS = {"next_due", "next_slot", "next_bulk_action"}
#: A row or two for each worker, or for what is to be done now.
SMALL = {"workers", "digest", "duties"}


@pytest.fixture(scope="module")
def store() -> Iterator[PostgresStore]:
    with fresh_database(migrated) as url:
        with psycopg.connect(url, autocommit=True) as db:
            db.execute(
                "INSERT INTO detent.runs (id, env, task, queue, state, epoch, order_at, created_at, finished_at) "
                "SELECT 'run_' || n, 'dev', 'work', 'q', 'COMPLETED', 1, n, n, n FROM generate_series(1, %s) n",
                [FINISHED],
            )
            db.execute(
                "INSERT INTO detent.events (run_id, at, kind, state, epoch, attempt) "
                "SELECT 'run_' || n, n, 'finish', 'COMPLETED', 1, 1 FROM generate_series(1, %s) n",
                [FINISHED],
            )
            db.execute("ANALYZE detent.runs, detent.events")
        store = PostgresStore(url)
        yield store
        store.close()


def plan_of(store: PostgresStore, name: str) -> list[dict[str, Any]]:
    """The steps of the plan that is kept for a statement in a state transaction."""
    sql, count = numbered(statements("postgresql")[name])
    db = store._session._db
    types = [NAMES[kind] for kind in sent_types(db, sql, count)]

    def explain(_: object) -> dict[str, Any]:
        named, values = (f"({', '.join(each)})" if count else "" for each in (types, ["NULL"] * count))
        db.execute(f"PREPARE looked_at {named} AS {sql}".encode())
        [([plan],)] = db.execute(f"EXPLAIN (FORMAT JSON) EXECUTE looked_at {values}".encode()).fetchall()
        db.execute("DEALLOCATE looked_at")
        root: dict[str, Any] = plan["Plan"]
        return root

    return list(_steps(store.write(explain)))


def _steps(step: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield step
    for inner in step.get("Plans", ()):
        yield from _steps(inner)


@pytest.mark.parametrize("name", HOT)
def test_a_statement_on_the_hot_path_reads_no_table_and_no_index_from_one_end_to_the_other(
    store: PostgresStore, name: str
) -> None:
    plan = plan_of(store, name)
    whole = [
        step
        for step in plan
        if step.get("Relation Name") not in SMALL
        and (
            step["Node Type"] in ("Seq Scan", "Hash Join", "Merge Join")
            or (step["Node Type"].startswith("Index") and "Index Cond" not in step and name not in FIRSTS)
        )
    ]
    assert not whole, plan


@pytest.mark.parametrize(("name", "index"), MADE_FOR)
def test_a_statement_uses_the_index_that_was_made_for_it(store: PostgresStore, name: str, index: str) -> None:
    plan = plan_of(store, name)
    assert index in {step.get("Index Name") for step in plan}, plan


@pytest.mark.parametrize("name", ["fence", "finish_run", "mark_progress", "park_run", "retry_run", "lose_lease"])
def test_a_run_is_found_by_its_id_however_few_execute(store: PostgresStore, name: str) -> None:
    plan = plan_of(store, name)
    assert {step["Index Name"] for step in plan if step.get("Relation Name") == "runs" and "Index Name" in step} == {
        "runs_id_key"
    }, plan


@pytest.mark.parametrize("make_bench", ["postgresql"], indirect=True)
def test_a_run_that_somebody_holds_is_passed_over_by_a_claim(bench: Bench) -> None:
    worker = bench.worker()
    held, free = bench.trigger(), bench.trigger()
    with psycopg.connect(bench.url) as somebody:
        somebody.execute("SELECT * FROM detent.runs WHERE id = %s FOR UPDATE", [held])
        assert [grant.run_id for grant in worker.claim(2)] == [free]
    assert [grant.run_id for grant in worker.claim(2)] == [held]
