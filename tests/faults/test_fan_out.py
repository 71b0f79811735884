"""A parent with many children loses its worker again and again: every result reaches it once, in order (F10)."""

from __future__ import annotations

import json
import random
import time
from pathlib import Path

import pytest

from .figures import figures
from .fleet import Fleet

TASKS = """
@task(id="child")
async def child(n: int, ctx: Context) -> int:
    await asyncio.sleep(0.1)
    effect(ctx, "child")
    return n * 2


@task(id="parent")
async def parent(n: int, ctx: Context) -> list[int]:
    size = n // 40
    parts = await asyncio.gather(*(one_part(ctx, begin, size) for begin in range(0, n, size)))
    return [result for part in parts for result in part]


async def one_part(ctx: Context, begin: int, size: int) -> list[int]:
    runs = (await child.batch_trigger_and_wait(list(range(begin, begin + size)))).runs
    await step(f"part {begin}", note, ctx, f"part {begin}")
    return [run.unwrap() for run in runs]


async def note(ctx: Context, name: str) -> None:
    effect(ctx, name)
"""


def test_a_parent_that_is_killed_again_and_again_gets_each_result_once_and_in_order(tmp_path: Path) -> None:
    fan_out(tmp_path, children=600, kills=4)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_a_parent_of_ten_thousand_that_is_killed_twenty_times_gets_each_result_once_and_in_order(
    tmp_path: Path,
) -> None:
    fan_out(tmp_path, children=10_000, kills=20, judged=True)


def fan_out(folder: Path, *, children: int, kills: int, judged: bool = False) -> None:
    chance = random.Random(5)
    moments = sorted(chance.sample(range(children), kills))
    with Fleet(folder, TASKS, workers=2, arguments=("--async-limit", "30")) as fleet:
        began = time.monotonic()
        run = fleet.client.tasks.trigger("parent", children)
        while fleet.ask("SELECT count(finished_at) FROM runs WHERE task = 'parent'") == [(0,)]:
            assert time.monotonic() - began < 400, "the parent does not come to an end"
            if moments and fleet.count("COMPLETED", "child") >= moments[0] and kill_holder(fleet):
                moments.pop(0)
            time.sleep(0.002)
        took_s = time.monotonic() - began
        report, again = fleet.judge()

    [(output,)] = fleet.ask("SELECT output FROM runs WHERE id = ?", run.id)
    assert json.loads(output) == [2 * n for n in range(children)]
    assert report.states == {"COMPLETED": children + 1}
    assert fleet.ask("SELECT count(*), count(DISTINCT child_id) FROM children") == [(children, children)]
    [(last_at, seq)] = fleet.ask(
        "SELECT e.at, max(e.seq) FROM events e JOIN runs r ON r.id = e.run_id "
        "WHERE r.task = 'child' AND e.kind = 'finish'"
    )
    woken = fleet.ask("SELECT min(at) FROM events WHERE run_id = ? AND kind = 'claim' AND seq > ?", run.id, seq)[0][0]
    [(ended,)] = fleet.ask("SELECT at FROM events WHERE run_id = ? AND kind = 'finish'", run.id)
    wake_ms = (woken or ended) - last_at
    figures(
        "F10",
        f"{children} children, the parent's worker killed {len(fleet.killed)} times",
        f"each result once, in order; all done after {took_s:.1f} s, {report.lost_leases} leases lost, {again} effects "
        f"again after a loss; the parent went on {wake_ms} ms after the last child and had ended after "
        f"{ended - last_at} ms",
    )
    if judged:
        assert len(fleet.killed) >= kills / 2
        assert wake_ms <= 500


def kill_holder(fleet: Fleet) -> bool:
    """Kill the worker that executes the parent or holds its frame; whether there is one.

    A run that has lost two workers executes in a process of its own, which a worker of the fleet starts;
    one that loses three without progress has crashed, so it is spared before that.
    """
    found = fleet.ask(
        "SELECT w.id, w.pid FROM runs r JOIN workers w ON w.id = coalesce(r.worker_id, r.sticky_worker) "
        "WHERE r.task = 'parent' AND w.state = 'alive' AND r.crashes < 2"
    )
    if not found or found[0][0] in fleet.killed:
        return False
    [(worker_id, pid)] = found
    return fleet.kill_process(worker_id, pid)
