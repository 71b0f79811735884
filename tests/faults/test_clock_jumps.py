"""The store's clock jumps by hours and days, forth and back: no timer goes off early, no lease is lost (F8)."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from tests.engine.bench import Bench, Worker, new
from tests.oracle import check_ended

from detent.model.ids import new_id
from detent.model.protocol import Done, Grant, Parked, Wait

from .figures import figures

HOUR, DAY = 3_600, 86_400
JUMPS = (HOUR, -HOUR, DAY, -DAY, 40, -40)


def test_a_clock_that_jumps_makes_no_timer_early_and_loses_no_lease(tmp_path: Path) -> None:
    jump_about(tmp_path, jumps=150, seed=1)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(5))
def test_a_clock_that_jumps_for_long_makes_no_timer_early_and_loses_no_lease(tmp_path: Path, seed: int) -> None:
    jump_about(tmp_path, jumps=2_000, seed=seed)


class Timers:
    """What was asked for, and when it may come, in milliseconds by the store's clock."""

    def __init__(self, bench: Bench, worker: Worker) -> None:
        self.bench = bench
        self.worker = worker
        self.due: dict[str, int] = {}
        self.early: list[str] = []
        self.came: set[str] = set()

    def set_some(self, chance: random.Random) -> None:
        """A delayed run, a backoff, a wait for time and a token with a time-out."""
        seconds = chance.choice([1, 30, 300, 5_000])
        at = self.bench.clock.now() + seconds * 1000
        [handle] = self.bench.trigger_all([new("delayed", run_at=at)])
        self.due[handle.id] = at
        for _ in range(3):
            self.bench.trigger("work")
        for how, grant in enumerate(self._new_ones()):
            self.due[grant.run_id] = at
            if how == 0:
                self.worker.finish(grant, "DELAYED", retry_at=at)
                continue
            wait = Wait(grant.run_id, grant.epoch, "0/wait#0", 0, "time", for_ms=seconds * 1000, park=True)
            if how == 1:
                token = self.bench.engine.create_waitpoint(id=new_id("waitpoint"), due_at=at)
                wait = Wait(grant.run_id, grant.epoch, "0/wait#0", 0, "token", token.row["id"], park=True)
            [answer] = self.worker.say(wait)
            assert isinstance(answer, Parked)
            assert answer.parked

    def _new_ones(self) -> list[Grant]:
        """Claim all there is. What has come is taken, the others are given."""
        grants = self.worker.claim(99)
        self._come([grant for grant in grants if grant.run_id in self.due])
        return [grant for grant in grants if grant.run_id not in self.came]

    def take(self) -> None:
        """Take and end what has come."""
        while grants := self.worker.claim(99):
            self._come(grants)

    def _come(self, grants: list[Grant]) -> None:
        now = self.bench.clock.now()
        for grant in grants:
            at = self.due.pop(grant.run_id)
            self.came.add(grant.run_id)
            if at > now:
                self.early.append(f"{grant.run_id} came {at - now} ms early")
            assert self.worker.finish(grant) == Done()


def jump_about(folder: Path, *, jumps: int, seed: int) -> None:
    chance = random.Random(seed)
    bench = Bench(folder)
    worker, other = bench.worker("work", "delayed"), bench.worker("held")
    held = bench.trigger("held")
    other.take()
    timers = Timers(bench, worker)
    for _ in range(jumps):
        timers.set_some(chance)
        timers.take()
        bench.clock.forward(chance.choice(JUMPS))
        bench.engine.sweep()
        assert bench.engine.check_leases() == []
        for _ in range(chance.randrange(12)):
            assert bench.watch_leases(5, worker, other) == []
            bench.engine.sweep()
            timers.take()
    last = max(timers.due.values(), default=0)
    bench.clock.time = max(bench.clock.time, last)
    bench.engine.sweep()
    timers.take()
    overdue = len(timers.due)
    assert bench.state(held) == "EXECUTING"
    bench.engine.cancel(held)
    bench.pass_time(31)
    silent_for = 0
    while worker.id not in bench.watch_leases(5, other):
        silent_for += 5
        assert silent_for < 200

    assert not timers.early, timers.early
    assert overdue == 0
    bench.engine.tidy()
    bench.close()
    report = check_ended(bench.path, bench.clock)
    assert report.lost_leases == 0
    figures(
        "F8",
        f"{jumps} jumps of ± 40 s, ± 1 h, ± 1 day, seed {seed}",
        f"{len(timers.came)} runs came, {len(timers.early)} early, {overdue} never; {report.lost_leases} leases lost; "
        f"a worker that then fell silent was given up after {silent_for + 5} s",
    )
