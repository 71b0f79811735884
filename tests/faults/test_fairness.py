"""The backlog of one tenant does not keep another one waiting (F20)."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.databases import migrated
from tests.servers.postgresql import fresh_database

from .figures import figures, percentile
from .fleet import Fleet

TASKS = """
shared = queue("shared", concurrency_limit=5)


@task(id="serve", queue=shared)
async def serve(ms: int) -> None:
    await asyncio.sleep(ms / 1000)
"""


@pytest.mark.soak
def test_a_backlog_of_one_tenant_lets_the_other_pass(tmp_path: Path) -> None:
    with fresh_database(migrated) as url:
        share(tmp_path, url, backlog=400, seconds=1)


@pytest.mark.soak
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_hundred_thousand_runs_of_one_tenant_let_the_other_pass(tmp_path: Path, kind: str) -> None:
    with fresh_database(migrated) if kind == "postgresql" else nullcontext("") as url:
        share(tmp_path, url, backlog=100_000, seconds=30, judged=True)


def share(folder: Path, url: str, *, backlog: int, seconds: int, judged: bool = False) -> None:
    """Tenant B asks ten times a second, first alone, then while tenant A has so many runs queued."""
    with Fleet(folder, TASKS, workers=2, database_url=url) as fleet:
        alone = ask_steadily(fleet, seconds)
        fleet.await_rest()
        fleet.trigger("serve", [20] * backlog, concurrency_key="a")
        crowded = ask_steadily(fleet, seconds)
        left = fleet.count("QUEUED")
        waits = {name: start_delays(fleet, runs) for name, runs in (("alone", alone), ("crowded", crowded))}
    figures(
        "F20",
        f"tenant A {backlog} queued, tenant B 10 a second for {seconds} s, {'PostgreSQL' if url else 'SQLite'}",
        f"B's runs began after p50 {percentile(waits['crowded'], 0.5):.0f} ms, p95 "
        f"{percentile(waits['crowded'], 0.95):.0f} ms; without A p50 {percentile(waits['alone'], 0.5):.0f} ms, p95 "
        f"{percentile(waits['alone'], 0.95):.0f} ms; of A's {left} were queued at the end",
    )
    assert left > 0, "the backlog was gone before the other tenant was done: make it larger"
    assert len(waits["crowded"]) == len(crowded), "runs of B had not begun when B was done asking"
    if judged:
        assert percentile(waits["crowded"], 0.95) <= max(250, 2 * percentile(waits["alone"], 0.95))


def ask_steadily(fleet: Fleet, seconds: int) -> list[str]:
    runs = []
    for _ in range(10 * seconds):
        runs += fleet.trigger("serve", [20], concurrency_key="b")
        time.sleep(0.1)  # the pace of the tenant, not a wait for anything
    return runs


def start_delays(fleet: Fleet, runs: list[str]) -> list[float]:
    """From trigger to claim of each of the runs that have begun, in milliseconds."""
    sql = (
        "SELECT t.run_id, min(c.at - t.at) FROM events t JOIN events c ON c.run_id = t.run_id "
        "WHERE t.kind = 'trigger' AND c.kind = 'claim' GROUP BY t.run_id"
    )
    found = dict(fleet.ask(sql))
    return [found[run] for run in runs if run in found]
