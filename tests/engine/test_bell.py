"""No ring is lost: a worker that claims only when it is rung gets every run in the end."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.engine.bench import Bench, Worker, new

from detent.model.manifest import QueueSpec
from detent.model.protocol import Claim, Claimed, Finish, Grant, RingPush


class RungWorker:
    """Claims for its whole room when it is rung, when it has just said hello, and when it has room again."""

    def __init__(self, worker: Worker, room: int) -> None:
        self.worker = worker
        self.room = room
        self.held: list[Grant] = []
        self.due = True

    def step(self) -> bool:
        """Whether there was something to do."""
        if self.worker.heard(RingPush):
            self.due = True
        if self.due:
            self.due = False
            free = self.room - len(self.held)
            if free:
                [answer] = self.worker.say(_claim(free))
                assert isinstance(answer, Claimed)
                self.held += answer.grants
                self.due = answer.more and len(self.held) < self.room
            return True
        return False

    def end_one(self, chance: random.Random) -> bool:
        if not self.held:
            return False
        grant = self.held.pop(chance.randrange(len(self.held)))
        self.worker.say(Finish(grant.run_id, grant.epoch, "COMPLETED"))
        self.due = True
        return True


def _claim(free: int) -> Claim:
    return Claim(sync=free, async_=free)


TASKS = ["a@one", "b@one", "c@two", "d@keyed", "e@free"]
QUEUES = [QueueSpec("one", 1), QueueSpec("two", 2), QueueSpec("keyed", 3, 1)]


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), env_limit=st.sampled_from([None, 2, 5]))
def test_every_run_is_worked_off_by_workers_that_claim_only_when_rung(seed: int, env_limit: int | None) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder), env_limit=env_limit)
        workers = []
        for _ in range(3):
            tasks = chance.sample(TASKS, chance.randrange(1, len(TASKS)))
            sync = [task for task in TASKS if task in ("b@one", "e@free") and task in tasks]
            workers.append(RungWorker(bench.worker(*tasks, queues=QUEUES, sync=sync), chance.randrange(1, 4)))
        workers.append(RungWorker(bench.worker(*TASKS, queues=QUEUES, sync=["b@one"]), 1))
        for _ in range(120):
            deed = chance.random()
            if deed < 0.35:
                runs = [
                    new(chance.choice(TASKS)[0], concurrency_key=chance.choice(["", "x", "y"]))
                    for _ in range(chance.randrange(1, 5))
                ]
                bench.trigger_all(runs)
            elif deed < 0.7:
                chance.choice(workers).step()
            elif deed < 0.95:
                chance.choice(workers).end_one(chance)
            elif len(workers) > 1:
                gone = workers.pop(chance.randrange(len(workers) - 1))
                if chance.random() < 0.5:
                    bench.engine.lose_worker(gone.worker.id, "killed")
                else:
                    gone.worker.release(*gone.held)
                bench.engine.disconnect(gone.worker.session)
        # From here on nothing new comes: rings alone must bring the rest to an end.
        while any([worker.step() for worker in workers] + [worker.end_one(chance) for worker in workers]):
            pass
        left = bench.count("SELECT count(*) FROM runs WHERE state IN ('QUEUED', 'EXECUTING')")
        bench.close()
        assert left == 0, f"seed {seed}: {left} runs are left and nobody is rung for them"


def test_a_herd_of_runs_rings_as_many_workers_as_it_takes(bench: Bench) -> None:
    workers = [bench.worker() for _ in range(4)]
    for worker in workers:
        worker.claim(5)
    bench.trigger_all([new() for _ in range(12)])
    assert sum(worker.rung() for worker in workers) == 3


def test_a_busy_worker_is_not_rung(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    worker.claim(1)
    worker.pushes.clear()
    bench.trigger()
    assert not worker.rung()


def test_a_worker_is_rung_once_until_it_claims(bench: Bench) -> None:
    worker = bench.worker()
    worker.claim(5)
    for _ in range(10):
        bench.trigger()
    assert len(worker.heard(RingPush)) == 1


def test_a_slot_that_becomes_free_rings_a_worker_of_other_tasks(bench: Bench) -> None:
    """Given a worker that ends a run and claims at once, when what is queued is for another, then that one is
    rung."""
    first = bench.worker("a@q", queues=[QueueSpec("q", 1)])
    second = bench.worker("b@q", queues=[QueueSpec("q", 1)])
    bench.trigger("a")
    grant = first.take()
    bench.trigger("b")
    assert second.claim(1) == []
    first.pushes.clear()
    first.say(Finish(grant.run_id, grant.epoch, "COMPLETED"), _claim(1))
    assert second.rung()


def test_runs_that_a_lost_worker_was_rung_for_ring_another(bench: Bench) -> None:
    first, second = bench.worker(), bench.worker()
    first.claim(1)
    second.claim(1)
    bench.trigger()
    rung, other = (first, second) if first.rung() else (second, first)
    bench.engine.disconnect(rung.session)
    assert other.rung()


@pytest.mark.parametrize("limit", [2, None])
def test_a_raised_limit_rings(bench: Bench, limit: int | None) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 1)])
    bench.trigger()
    bench.trigger()
    worker.claim(2)
    worker.pushes.clear()
    bench.worker("work@q", queues=[QueueSpec("q", limit)])
    assert worker.rung()
    assert len(worker.claim(1)) == 1
