"""The engine and three workers under one scheduler and one seed, with everything that breaks (F25), and zombies (F4).

``python -m tests.simulation --seeds 100`` plays more; a failure prints the seed and the command that plays it again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.engine.bench import Bench
from tests.invariants import dump
from tests.simulation.play import play

from detent.model.protocol import Done, Failure, Release

STEPS = 200


def test_whatever_breaks_every_run_ends_once_and_no_finished_step_runs_again() -> None:
    faults: Counter[str] = Counter()
    for seed in range(40):
        faults.update(play(seed, STEPS).faults)
    missing = {"crash", "crash before", "crash after", "twice", "answer lost", "partition", "clock", "restart"} - {
        *faults
    }
    assert not missing, f"nothing of this broke: {missing}"


@pytest.mark.soak
@pytest.mark.timeout(7_200)
def test_whatever_breaks_in_five_thousand_worlds() -> None:
    turns = sum(play(seed, STEPS).turns for seed in range(100_000, 105_000))
    assert turns > 1_000_000
    print(f"\n5,000 seeds, {turns} steps")


def test_a_seed_plays_the_same_world_in_every_process() -> None:
    code = f"from tests.simulation.play import play; print(play(7, {STEPS}))"
    root = Path(__file__).parents[2]
    worlds = set()
    for hashes in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": hashes}
        ended = subprocess.run([sys.executable, "-c", code], cwd=root, env=environment, capture_output=True, check=True)
        worlds.add(ended.stdout)
    assert len(worlds) == 1


@pytest.mark.parametrize("times", [300, pytest.param(10_000, marks=pytest.mark.soak)])
def test_no_zombie_finishes_after_its_run_was_claimed_again(bench: Bench, times: int) -> None:
    accepted = 0
    workers = [bench.worker(), bench.worker()]
    statuses = ("COMPLETED", "FAILED", "DELAYED", "CANCELED", "TIMED_OUT", "CRASHED")
    run = bench.trigger()
    holder, grant = workers[0], workers[0].take()
    for n in range(times):
        was, zombie = holder, grant
        was.say(Release([(run, zombie.epoch)], draining=False))
        # Another process claims it, or the same one in a later life of the run.
        holder = workers[n // 2 % 2]
        grant = holder.take()
        before = dump(bench.store.read_sql) if n % 50 == 0 else None
        answer = was.finish(zombie, statuses[n % len(statuses)], retry_at=1, output='"zombie"')
        accepted += not isinstance(answer, Failure)
        assert before is None or dump(bench.store.read_sql) == before
    assert accepted == 0
    assert holder.finish(grant) == Done()
