"""The history is enough to prove what the queues promise; the oracle reads nothing else."""

from __future__ import annotations

import random

import pytest
from tests.databases import damage
from tests.engine.bench import Bench, Worker, new
from tests.oracle import check, check_history

from detent.model.manifest import QueueSpec
from detent.model.protocol import Claim, Finish, Grant


def test_two_thousand_runs_on_a_queue_of_five_are_never_six_and_nearly_always_five(bench: Bench) -> None:
    """Given 3 workers with room for 4 each, when runs of random length are worked off, then the limit is
    used."""
    chance = random.Random(5)
    workers = [bench.worker("work@five", queues=[QueueSpec("five", 5)]) for _ in range(3)]
    for _ in range(2):
        bench.trigger_all([new() for _ in range(1000)])
    busy: list[tuple[int, Worker, Grant]] = []

    def claim(worker: Worker, *ended: Grant) -> None:
        room = 4 - sum(holder is worker for _, holder, _ in busy)
        finishes = [Finish(grant.run_id, grant.epoch, "COMPLETED") for grant in ended]
        for grant in worker.say(*finishes, Claim(async_=room))[-1].grants:
            busy.append((bench.clock.now() + chance.randrange(5, 60), worker, grant))

    for worker in workers:
        claim(worker)
    while busy:
        busy.sort(key=lambda entry: entry[0])
        at, worker, grant = busy.pop(0)
        bench.clock.time = max(at, bench.clock.now())
        claim(worker, grant)
        for other in workers:
            if other.rung():
                claim(other)
    report = check_history(bench.store)
    report.raise_if_wrong()
    assert report.states == {"COMPLETED": 2000}
    assert report.queues["five"].most == 5
    assert report.queues["five"].used >= 0.95


def test_the_oracle_reads_a_file_that_is_in_use(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 2)])
    for _ in range(3):
        bench.trigger()
    worker.claim(2)
    report = check(bench.database)
    report.raise_if_wrong()
    assert (report.runs, report.unfinished, report.queues["q"].most) == (3, 3, 2)


@pytest.mark.parametrize(
    ("how", "finding"),
    [
        ("UPDATE queues SET limit_n = 1", "over its limit 1"),
        ("UPDATE queues SET limit_per_key = 1", "runs of key 'k' at once, over 1"),
        ("DELETE FROM events WHERE kind = 'finish' AND seq % 2 = 1", "ends in its history"),
        ("INSERT INTO events (run_id, at, kind, state, epoch, attempt, worker_id, data) "
         "SELECT run_id, at, kind, state, epoch, attempt, worker_id, data "
         "FROM events WHERE kind = 'finish' ORDER BY seq DESC LIMIT 1", "after its end COMPLETED"),
        ("UPDATE runs SET state = 'QUEUED' WHERE state = 'COMPLETED'", "its history says COMPLETED"),
        ("UPDATE events SET epoch = 0 WHERE kind = 'finish'", "took the epoch back"),
        ("DELETE FROM events WHERE kind = 'trigger'", "before its trigger"),
        ("UPDATE events SET kind = 'claim' WHERE kind = 'finish'", "so it may execute twice at once"),
    ],
)  # fmt: skip
def test_the_oracle_finds_what_must_never_be(bench: Bench, how: str, finding: str) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 2)])
    for _ in range(3):
        bench.trigger(concurrency_key="k")
    worker.work_off(2)
    check(bench.database).raise_if_wrong()
    damage(bench.database, how)
    assert any(finding in text for text in check(bench.database).broken)


def test_each_edge_leaves_one_row(bench: Bench) -> None:
    worker = bench.worker("parent", "child")
    run = bench.trigger("parent", run_at=bench.clock.now() + 1000)
    bench.pass_time(1)
    worker.fan_out(worker.take(), "1", "child")
    worker.finish(worker.take())
    worker.finish(worker.take(), "DELAYED", retry_at=bench.clock.now() + 1000)
    bench.pass_time(1)
    grant = worker.take()
    worker.release(grant)
    worker = bench.worker("parent", "child")
    worker.take()
    bench.engine.lose_worker(worker.id, "killed")
    worker = bench.worker("parent", "child")
    grant = worker.take()
    bench.engine.cancel(run)
    worker.finish(grant, "CANCELED")
    assert bench.history(run) == [
        "trigger:DELAYED", "due:QUEUED", "claim:EXECUTING", "park:WAITING", "resume:QUEUED",
        "claim:EXECUTING", "retry:DELAYED", "due:QUEUED", "claim:EXECUTING", "release:QUEUED",
        "claim:EXECUTING",
        "lose_lease:QUEUED", "claim:EXECUTING", "cancel_requested:EXECUTING", "finish:CANCELED",
    ]  # fmt: skip
    check_history(bench.store).raise_if_wrong()
