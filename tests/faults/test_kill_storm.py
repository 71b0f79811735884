"""Workers die of SIGKILL all the time, and nothing is lost, doubled or left over (F1)."""

from __future__ import annotations

import time
from contextlib import nullcontext
from pathlib import Path

import pytest
from tests.databases import migrated
from tests.servers.postgresql import fresh_database

from .figures import figures
from .fleet import Fleet

TASKS = """
again = Retry(max_attempts=3)


@task(id="leaf")
async def leaf(n: int, ctx: Context) -> int:
    return await step("leaf", note, ctx, "leaf", n)


async def note(ctx: Context, name: str, n: int) -> int:
    await asyncio.sleep(0.005)
    effect(ctx, name)
    return n


def note_plainly(ctx: Context, name: str, n: int) -> int:
    time.sleep(0.005)
    effect(ctx, name)
    return n


@task(id="three", retry=again)
async def three(n: int, ctx: Context) -> int:
    one = await step("one", note, ctx, "one", n)
    two = await step("two", note, ctx, "two", n)
    children = []
    if n % 5 == 0:
        children = [run.unwrap() for run in (await leaf.batch_trigger_and_wait([n, n + 1])).runs]
    return one + two + await step("three", note, ctx, "three", n) + sum(children)


@task(id="three-plain", retry=again)
def three_plain(n: int, ctx: Context) -> int:
    one = step.sync("one", note_plainly, ctx, "one", n)
    two = step.sync("two", note_plainly, ctx, "two", n)
    children = []
    if n % 5 == 0:
        children = [run.unwrap() for run in leaf.sync.batch_trigger_and_wait([n, n + 1]).runs]
    return one + two + step.sync("three", note_plainly, ctx, "three", n) + sum(children)
"""


def test_workers_that_are_killed_all_the_time_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    storm(tmp_path, runs=1_000, workers=3, kills=10)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_ten_thousand_runs_survive_a_kill_every_200_ms(tmp_path: Path, kind: str) -> None:
    with fresh_database(migrated) if kind == "postgresql" else nullcontext("") as url:
        storm(tmp_path, url, runs=10_000, workers=8, judged=True)


def storm(folder: Path, url: str = "", *, runs: int, workers: int, kills: int = 100_000, judged: bool = False) -> None:
    sizes = ("--threads", "4", "--async-limit", "20")
    with Fleet(folder, TASKS, workers=workers, arguments=sizes, database_url=url) as fleet:
        calm = runs // 4
        began = time.monotonic()
        fleet.trigger("three", list(range(0, calm, 2)))
        fleet.trigger("three-plain", list(range(1, calm, 2)))
        total = calm + with_children(calm)
        fleet.await_end(total, 240)
        calm_rate = total / (time.monotonic() - began)

        began = time.monotonic()
        fleet.trigger("three", list(range(0, runs, 2)))
        fleet.trigger("three-plain", list(range(1, runs, 2)))
        stormy = runs + with_children(runs)
        total += stormy
        ends = began + 600
        while fleet.ask("SELECT count(finished_at) FROM runs") != [(total,)]:
            assert time.monotonic() < ends, "the runs do not come to an end"
            if len(fleet.killed) < kills:
                fleet.kill_any()
            time.sleep(0.2)  # the pace of the fault, not a wait for anything
        rate = stormy / (time.monotonic() - began)

        report, again = fleet.judge()
        outputs = fleet.ask("SELECT payload, output, task FROM runs WHERE state = 'COMPLETED' AND task <> 'leaf'")

    assert set(report.states) <= {"COMPLETED", "CRASHED"}
    assert report.states["CRASHED"] <= report.lost_leases / 3
    for payload, output, _ in outputs:
        n = int(payload)
        assert int(output) == 3 * n + (2 * n + 1 if n % 5 == 0 else 0)
    recovery = fleet.recovery()
    figures(
        "F1",
        f"{runs} runs of 3 steps, {workers} workers, a kill each 200 ms{', PostgreSQL' if url else ''}",
        f"{len(fleet.killed)} kills, {report.lost_leases} leases lost, {dict(report.states)}, "
        f"{again} effects again after a loss; {recovery}; {rate:.0f} runs/s, {calm_rate:.0f} without kills",
    )
    if judged:
        assert recovery.percentile(0.99) <= 2_000


def with_children(runs: int) -> int:
    """How many children so many runs have."""
    return 2 * len(range(0, runs, 5))
