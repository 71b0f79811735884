"""Thousands of runs wait at once: memory stays bounded, and runs whose frames were dropped are replayed right (F13)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .effects import effects
from .figures import figures, percentile
from .fleet import Fleet
from .project import wait_for

TASKS = """
@task(id="patient")
async def patient(payload: tuple[str, int], ctx: Context) -> int:
    token, n = payload
    before = await step("before", note, ctx, n)
    await wait.for_token(token)
    effect(ctx, "after")
    return before * 2


async def note(ctx: Context, n: int) -> int:
    effect(ctx, "before")
    return n
"""

#: Runs that wait for the same token, and wake together.
GROUP = 100
#: From one run's call to its next claim, by whether the frame was kept (warm) or not.
RESUMED = """
SELECT r.worker_id IS NOT NULL, c.at - r.at FROM events r
JOIN events c ON c.run_id = r.run_id AND c.kind = 'claim' AND c.seq > r.seq WHERE r.kind = 'resume'
"""


def test_runs_that_wait_go_on_whether_their_frames_were_kept_or_not(tmp_path: Path) -> None:
    wait_together(tmp_path, runs=400, env={"DETENT_REPLAY": "random:3"})


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_thirty_thousand_runs_wait_in_little_memory_and_go_on(tmp_path: Path) -> None:
    wait_together(tmp_path, runs=30_000, judged=True)


def wait_together(folder: Path, *, runs: int, env: dict[str, str] | None = None, judged: bool = False) -> None:
    with Fleet(folder, TASKS, workers=1, env=env) as fleet:
        empty = fleet.memory()
        tokens = [fleet.client.tokens.create().id for _ in range(runs // GROUP)]
        began = time.monotonic()
        fleet.trigger("patient", [[tokens[n // GROUP], n] for n in range(runs)])

        def all_wait() -> bool:
            time.sleep(0.05)
            return fleet.count("WAITING") == runs

        wait_for("all wait", all_wait, 300)
        parked_s = time.monotonic() - began
        full = fleet.memory()
        began = time.monotonic()
        for token in tokens:
            fleet.client.tokens.complete(token, "go")
            time.sleep(0.1)  # the pace at which they are woken: 1,000 each second
        fleet.await_end(runs, 300)
        woken_s = time.monotonic() - began
        report, again = fleet.judge()

    outputs = fleet.ask("SELECT payload, output FROM runs")
    took: dict[int, list[float]] = {0: [], 1: []}
    for warm, ms in fleet.ask(RESUMED):
        took[warm].append(ms)
    figures(
        "F13",
        f"{runs} runs wait on one worker",
        f"worker {full / 2**20:.0f} MiB with all of them parked, {empty / 2**20:.0f} before; parked in {parked_s:.1f} "
        f"s, woken in {woken_s:.1f} s; claimed after the call: {said(took[1])} of {len(took[1])} warm, {said(took[0])} "
        f"of {len(took[0])} cold; {again} effects again",
    )
    assert report.states == {"COMPLETED": runs}
    assert report.lost_leases == again == 0
    assert len([effect for effect in effects(fleet.log) if effect.name == "before"]) == runs
    assert all(int(output) == 2 * int(payload.strip("[]").split(",")[1]) for payload, output in outputs)
    assert took[0]
    if judged:
        assert full < 400 * 2**20


def said(took: list[float]) -> str:
    return f"p50 {percentile(took, 0.5):.0f} ms, p99 {percentile(took, 0.99):.0f} ms"
