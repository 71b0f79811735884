from __future__ import annotations

from tests.engine.bench import Bench, new

HOUR_S = 3_600


def test_left_over_rows_go_in_batches_once_their_time_is_over(bench: Bench) -> None:
    bench.worker()
    for batch in range(2):
        runs = [
            new(idempotency_key=f"{batch}-{n}", idempotency_ttl_ms=(1 + batch) * HOUR_S * 1000, known=True)
            for n in range(600)
        ]
        bench.trigger_all(runs)
    keys = "SELECT count(*) FROM idempotency"
    bench.engine.tidy()
    assert bench.count(keys) == 1200
    bench.clock.forward(HOUR_S)
    left = []
    for _ in range(3):
        bench.engine.tidy()
        left.append(bench.count(keys))
    assert left == [700, 600, 600]


def test_a_dead_worker_is_remembered_for_a_day(bench: Bench) -> None:
    worker, other = bench.worker(), bench.worker()
    bench.engine.lose_worker(worker.id, "killed")
    bench.engine.tidy()
    assert bench.count("SELECT count(*) FROM workers WHERE state = 'dead'") == 1
    bench.clock.forward(25 * HOUR_S)
    bench.engine.tidy()
    assert bench.count("SELECT count(*) FROM workers") == 1
    assert bench.store.read("find_worker", id=other.id)
