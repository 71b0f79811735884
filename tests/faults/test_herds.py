"""Thousands of timers in the same second, and as many retries after an outage, start work and little noise (F18)."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from detent.engine.sessions import Session
from detent.model.protocol import RingPush

from .figures import figures
from .fleet import Fleet

TASKS = """
@task(id="timed")
async def timed(n: int) -> int:
    return n


@task(id="calls-out", retry=Retry(max_attempts=2, min_timeout=2, randomize=False))
async def calls_out(n: int, ctx: Context) -> int:
    if ctx.attempt.number == 1:
        raise ConnectionError("the service is away")
    return n
"""


class CountedBell:
    """Implements `engine.sessions.Doorbell`: rings as ever, and counts."""

    def __init__(self) -> None:
        self.rings = 0

    def ring(self, session: Session, push: RingPush) -> None:
        self.rings += 1
        session.send(push)


def test_herds_of_timers_and_retries_are_worked_off(tmp_path: Path) -> None:
    herd(tmp_path, timers=1_000, retries=300, workers=2, lead_s=1.5)


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_twenty_thousand_timers_and_five_thousand_retries_are_worked_off(tmp_path: Path) -> None:
    herd(tmp_path, timers=20_000, retries=5_000, workers=8, lead_s=30, judged=True)


def herd(folder: Path, *, timers: int, retries: int, workers: int, lead_s: float, judged: bool = False) -> None:
    with Fleet(folder, TASKS, workers=workers, arguments=("--async-limit", "100")) as fleet:
        bell = fleet.engine.sessions._doorbell = CountedBell()
        due = time.time() + lead_s
        fleet.trigger("timed", list(range(timers)), delay=datetime.fromtimestamp(due, UTC))
        late_s = max(0.0, time.time() - due)
        fleet.await_end(timers, 240)
        timers_rings = bell.rings
        fleet.trigger("calls-out", list(range(retries)))
        fleet.await_end(timers + retries, 240)
        report, _ = fleet.judge()

    assert late_s == 0, f"the timers were not set in time, {late_s:.1f} s late"
    due_ms = round(due * 1000)
    started = "SELECT max(e.at), min(e.at) FROM events e JOIN runs r ON r.id = e.run_id WHERE e.kind = 'claim'"
    [(last, first)] = fleet.ask(f"{started} AND r.task = 'timed'")
    [(went_off,)] = fleet.ask(
        "SELECT max(e.at) FROM events e JOIN runs r ON r.id = e.run_id WHERE e.kind = 'due' AND r.task = 'timed'"
    )
    [(again_last, again_first)] = fleet.ask(f"{started} AND r.task = 'calls-out' AND e.attempt = 2")
    seconds = max(1.0, (last - due_ms) / 1000)
    figures(
        "F18",
        f"{timers} timers due at one moment, {retries} retries after an outage, {workers} workers",
        f"{dict(report.states)}; timers went off within {(went_off - due_ms) / 1000:.2f} s, all runs started within "
        f"{(last - due_ms) / 1000:.2f} s, {timers_rings} rings ({timers_rings / seconds:.0f}/s); all retries within "
        f"{(again_last - again_first) / 1000:.2f} s, {bell.rings - timers_rings} rings",
    )
    assert first >= due_ms, "a timer went off early"
    assert report.states == {"COMPLETED": timers + retries}
    assert fleet.ask("SELECT count(*) FROM runs WHERE attempt <> CASE task WHEN 'timed' THEN 1 ELSE 2 END") == [(0,)]
    if judged:
        assert last - due_ms <= 60_000
        assert timers_rings / seconds <= 100
