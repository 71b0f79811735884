"""Every worker is told to stop and replaced, over and over, under load: nobody fails, and nothing is lost (F19)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from .figures import figures
from .fleet import Fleet
from .project import wait_for

TASKS = """
@task(id="short")
async def short(n: int, ctx: Context) -> int:
    await asyncio.sleep(0.02)
    effect(ctx, "short")
    return n


@task(id="short-plain")
def short_plain(n: int, ctx: Context) -> int:
    time.sleep(0.02)
    effect(ctx, "short")
    return n


@task(id="parent")
async def parent(n: int, ctx: Context) -> int:
    first = await short.batch_trigger_and_wait([n, n])
    await step("between", note, ctx)
    second = await short_plain.trigger_and_wait(n)
    return sum(run.unwrap() for run in first.runs) + second.unwrap()


async def note(ctx: Context) -> None:
    effect(ctx, "between")


@task(id="patient")
async def patient(token: str, ctx: Context) -> int:
    effect(ctx, f"begin-{os.getpid()}")
    await wait.for_token(token)
    effect(ctx, f"end-{os.getpid()}")
    return os.getpid()
"""


def test_a_rolling_restart_of_all_workers_fails_nothing_and_spends_nothing(tmp_path: Path) -> None:
    restart(tmp_path, rounds=2, workers=2, patient=10, load=40)


@pytest.mark.soak
@pytest.mark.timeout(1200)
def test_twenty_rolling_restarts_of_all_workers_fail_nothing_and_spend_nothing(tmp_path: Path) -> None:
    restart(tmp_path, rounds=20, workers=4, patient=100, load=100)


def restart(folder: Path, *, rounds: int, workers: int, patient: int, load: int) -> None:
    with Fleet(folder, TASKS, workers=workers, arguments=("--async-limit", "50")) as fleet:
        token = fleet.client.tokens.create().id
        waiting = fleet.trigger("patient", [token] * patient)
        wait_for("they park", lambda: fleet.count("WAITING", "patient") == patient)
        began = time.monotonic()
        total = patient
        for _ in range(rounds):
            fleet.trigger("parent", list(range(load)))
            total += 4 * load
            fleet.restart_all()
        restarted_s = time.monotonic() - began
        fleet.client.tokens.complete(token, 1)
        fleet.await_end(total, 240)
        took_s = time.monotonic() - began
        report, again = fleet.judge()

    spent = fleet.ask("SELECT count(*) FROM runs WHERE attempt > 1 OR crashes > 0")[0][0]
    handed_back = fleet.ask("SELECT count(*) FROM events WHERE kind = 'release'")[0][0]
    resumed = fleet.ask("SELECT count(DISTINCT output) FROM runs WHERE task = 'patient'")[0][0]
    figures(
        "F19",
        f"{rounds} rolling restarts of {workers} workers, {total} runs, {patient} of them parked all the time",
        f"{dict(report.states)}, {report.lost_leases} leases lost, {spent} attempts spent, {handed_back} runs handed "
        f"back, {again} effects again; the parked went on in {resumed} processes; {restarted_s:.1f} s for the "
        f"restarts, {took_s:.1f} s in all",
    )
    assert report.states == {"COMPLETED": total}
    assert report.lost_leases == spent == 0
    assert fleet.codes == [0] * (rounds * workers)
    assert len(waiting) == patient
