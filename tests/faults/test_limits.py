"""Limits hold while they are changed and workers die, and are used up while there is a backlog (F9)."""

from __future__ import annotations

import random
import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.databases import migrated
from tests.oracle import LimitChange
from tests.servers.postgresql import fresh_database

from detent.engine.scene import Scene

from .figures import figures
from .fleet import Fleet

TASKS = """
@task(id="hold", retry=Retry(max_attempts=3))
async def hold(ms: int) -> None:
    await asyncio.sleep(ms / 1000)
"""

#: Queues by their limit at the beginning, and how long one run of each takes, in milliseconds.
QUEUES = {1: 300, 2: 300, 10: 500, 100: 1_500}
KEYS = 500
KEYED = "keyed"


def test_limits_hold_while_they_change_and_workers_die(tmp_path: Path) -> None:
    change_limits(tmp_path, seconds=4, workers=3)


@pytest.mark.soak
def test_on_postgresql_limits_hold_too(tmp_path: Path) -> None:
    with fresh_database(migrated) as url:
        change_limits(tmp_path, url, seconds=1, workers=2)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_limits_hold_and_are_used_for_two_minutes_of_changes_and_deaths(tmp_path: Path, kind: str) -> None:
    with fresh_database(migrated) if kind == "postgresql" else nullcontext("") as url:
        change_limits(tmp_path, url, seconds=120, workers=8, judged=True)


def change_limits(folder: Path, url: str = "", *, seconds: int, workers: int, judged: bool = False) -> None:
    chance = random.Random(3)
    with Fleet(folder, TASKS, workers=workers, database_url=url) as fleet:
        changes: list[LimitChange] = []

        def set_limit(name: str, limit: int | None, per_key: int | None = None) -> None:
            """In a transaction that nobody shares, so that what has happened before is told from what happens after."""

            def change(scene: Scene) -> LimitChange:
                scene.tx.run("put_queue", env=scene.env, name=name, limit_n=limit, limit_per_key=per_key)
                scene.bell.anyone(scene.env)
                [(after,)] = fleet.engine.store.read_sql("SELECT coalesce(max(seq), 0) FROM events", {})
                return LimitChange(after, scene.now, name, limit)

            changes.append(fleet.engine.write(change, yields=True))

        for limit in QUEUES:
            set_limit(f"q{limit}", limit)
        set_limit(KEYED, 20, per_key=1)
        total = 0
        for limit, ms in QUEUES.items():
            runs = int(limit * seconds * 1000 / ms) + 2 * limit
            keys = [f"k{n % KEYS}" for n in range(runs)]
            for begin in range(0, runs, 500):
                items = [
                    {"payload": ms, "options": {"queue": f"q{limit}", "concurrency_key": key}}
                    for key in keys[begin : begin + 500]
                ]
                fleet.client.tasks.batch_trigger(items, "hold")
            total += runs
        keyed = min(KEYS, 20 * seconds)
        items = [{"payload": 100, "options": {"queue": KEYED, "concurrency_key": f"k{n // 2}"}} for n in range(keyed)]
        fleet.client.tasks.batch_trigger(items, "hold")
        total += keyed

        ends = time.monotonic() + seconds
        changed_at = 0.0
        while time.monotonic() < ends:
            if time.monotonic() - changed_at >= 1:
                changed_at = time.monotonic()
                for limit in QUEUES:
                    set_limit(f"q{limit}", max(1, round(limit * chance.choice([0.5, 1, 1.5]))))
            fleet.kill_any()
            time.sleep(0.2 if judged else 0.4)  # the pace of the fault, not a wait for anything
        for limit in QUEUES:
            set_limit(f"q{limit}", None)
        fleet.await_end(total, 120)
        report, _ = fleet.judge(changes)

    last = changes[-len(QUEUES)].after
    used = {f"q{limit}": report.queues[f"q{limit}"].used for limit in QUEUES}
    figures(
        "F9",
        f"limits 1, 2, 10, 100 changed each second, {total} runs, {KEYS} keys, {workers} workers"
        f"{', PostgreSQL' if url else ''}",
        f"{len(changes)} changes, {len(fleet.killed)} kills, {report.lost_leases} leases lost, {dict(report.states)}; "
        f"never over the limit in {last} events; in use while there was a backlog: "
        + ", ".join(f"{name} {share:.1%}" for name, share in used.items()),
    )
    assert set(report.states) <= {"COMPLETED", "CRASHED"}
    if judged:
        assert min(used.values()) >= 0.95
