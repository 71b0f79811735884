"""Lists of runs and tokens bring the same from both stores, and PostgreSQL reads them by the indexes that were made for
them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import psycopg
import pytest
from tests.engine.bench import Bench

from detent.engine.run_lists import RunFilter, count_runs, page_of_runs
from detent.store import Store
from detent.store.dialect import for_postgresql

ERRORS = ("no Luck at all", 'a "quoted" text', "tabs\tand \\slashes", "Größe: 3", "a NUL \0 in it", "%d of %s")


class Watched:
    """A store that remembers the SELECTs that were put together."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.selects: list[tuple[str, Mapping[str, Any]]] = []

    def read_sql(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        self.selects.append((sql, values))
        return self._store.read_sql(sql, values)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def shown(row: Any) -> str:
    """What is searched of the error of a run."""
    error = json.loads(row["error"] or "{}")
    return f"{error['type']}: {error['message']}" if error else ""


def test_a_filter_finds_what_fits_newest_first_page_by_page(bench: Bench) -> None:
    # Given
    worker = bench.worker("a@q", "b@q", "task/c@other", "Task/C@other")
    tasks = ("a", "b", "task/c", "Task/C")
    for n in range(48):
        bench.clock.forward(1)
        bench.trigger(tasks[n % 4], tags=[f"t{n % 3}", "100%"] if n % 2 else [])
    for n, grant in enumerate(worker.claim(40)):
        if n % 4 == 0:
            error = json.dumps({"type": "ValueError", "message": ERRORS[n // 4 % len(ERRORS)], "traceback": "luck"})
            worker.finish(grant, "FAILED", error=error)
        elif n % 4 == 1:
            worker.finish(grant)
    everything = bench.store.read_sql("SELECT * FROM runs ORDER BY seq DESC", {})
    moment = everything[20]["created_at"]
    wanted = {
        RunFilter(): lambda _: True,
        RunFilter(status=("FAILED",)): lambda r: r["state"] == "FAILED",
        RunFilter(status=("FAILED", "QUEUED")): lambda r: r["state"] in ("FAILED", "QUEUED"),
        RunFilter(task=("task/c",)): lambda r: r["task"] == "task/c",
        RunFilter(task=("a", "b"), status=("COMPLETED",)): lambda r: r["task"] in "ab" and r["state"] == "COMPLETED",
        RunFilter(queue="other", tag=("100%",)): lambda r: r["queue"] == "other" and "100%" in r["tags"],
        RunFilter(tag=("t0", "t1")): lambda r: "t0" in r["tags"] or "t1" in r["tags"],
        RunFilter(tag=("t0",), task=("Task/C",)): lambda r: "t0" in r["tags"] and r["task"] == "Task/C",
        RunFilter(since=moment): lambda r: r["created_at"] >= moment,
        RunFilter(until=moment, status=("FAILED",)): lambda r: r["created_at"] < moment and r["state"] == "FAILED",
        RunFilter(version=("1",)): lambda r: r["version"] == "1",
        RunFilter(search="TASK/"): lambda r: r["task"].lower() == "task/c",
        RunFilter(search=everything[5]["id"][:-1]): lambda r: r["id"].startswith(everything[5]["id"][:-1]),
        RunFilter(search="luck"): lambda r: bool(r["error"]),
        RunFilter(root=everything[0]["id"]): lambda _: False,
    }
    for text in ("luck", "ValueError: no luck", ": ", '"quoted"', "tabs\tand \\sl", "größe: 3", "%d", "nul ", "zzz"):
        # ASCII letters alone are alike, large and small.
        wanted[RunFilter(error=text)] = lambda r, text=text: text.lower() in shown(r).lower()
    for sought, fits in wanted.items():
        # When
        found, before, pages = [], None, 0
        while pages == 0 or before is not None:
            page, before = page_of_runs(bench.store, "dev", sought, 5, before)
            found += [row["id"] for row in page]
            pages += 1
        # Then
        assert found == [row["id"] for row in everything if fits(row)], sought
        assert count_runs(bench.store, "dev", sought, 2**60, 1000) == len(found)
        assert page_of_runs(bench.store, "prod", sought, 5, None) == ([], None)


@pytest.mark.parametrize("make_bench", ["postgresql"], indirect=True)
def test_postgresql_reads_each_list_by_the_index_of_its_filter(bench: Bench) -> None:
    # Given a filter and its index
    indexes = {
        RunFilter(): "runs_by_state",
        RunFilter(status=("FAILED", "EXECUTING")): "runs_by_state",
        RunFilter(task=("a", "b"), until=1): "runs_by_task",
        RunFilter(version=("1",)): "runs_by_version",
        RunFilter(queue="q"): "runs_by_queue",
        RunFilter(batch="batch_1"): "runs_batch",
        RunFilter(parent="run_1"): "runs_parent",
        RunFilter(root="run_1"): "runs_by_root",
        RunFilter(schedule="sched_1"): "runs_schedule",
        RunFilter(error="boom"): "runs_with_error",
        RunFilter(tag=("red",), error="boom"): "run_tags_newest",
    }
    with psycopg.connect(bench.url, autocommit=True) as db:
        # However small the tables of a test are
        db.execute("SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_sort = off")
        for wanted, index in indexes.items():
            watched = Watched(bench.store)
            # When
            page_of_runs(watched, "dev", wanted, 25, None)
            for sql, values in watched.selects:
                steps = [step for (step,) in db.execute(f"EXPLAIN {for_postgresql(sql)}".encode(), values)]
                # Then it is read in its order
                assert any(index in step for step in steps), (sql, steps)
                assert not [step for step in steps if "Sort" in step and "Key" not in step][1:], steps
                assert not [step for step in steps if "runs_pkey" in step and not wanted.tag], steps
