from __future__ import annotations

import threading

from tests.engine.bench import Bench, new

from detent.engine.loops.timers import sweep_timers


def test_timers_are_swept_in_batches_so_that_triggers_get_in_between(bench: Bench) -> None:
    at = bench.clock.now() + 1000
    bench.trigger_all([new(known=True, run_at=at) for _ in range(1200)])
    bench.clock.forward(2)
    assert [bench.engine.write(sweep_timers) for _ in range(4)] == [500, 500, 200, 0]


def test_sweeping_again_changes_nothing(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger(run_at=bench.clock.now() + 1000)
    bench.trigger(ttl_ms=1000)
    cancelled = bench.trigger(priority=10)
    worker.take()
    bench.engine.cancel(cancelled)
    bench.pass_time(60)
    before = bench.count("SELECT count(*) FROM events")
    for _ in range(3):
        assert bench.engine.sweep() is None
    assert bench.count("SELECT count(*) FROM events") == before


def test_a_sweep_tells_when_the_next_timer_is_due(bench: Bench) -> None:
    worker = bench.worker()
    now = bench.clock.now()
    assert bench.engine.sweep() is None
    bench.trigger(run_at=now + 9_000)
    assert bench.engine.sweep() == now + 9_000
    bench.trigger(ttl_ms=7_000, priority=-1)
    assert bench.engine.sweep() == now + 7_000
    run = bench.trigger()
    grant = worker.take()
    worker.finish(grant, "DELAYED", retry_at=now + 5_000)
    assert bench.engine.sweep() == now + 5_000
    bench.clock.forward(5)
    bench.engine.sweep()
    assert worker.take().run_id == run


def test_a_run_that_has_started_does_not_expire(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger(ttl_ms=1000)
    worker.take()
    bench.pass_time(5)
    bench.engine.lose_worker(worker.id, "killed")
    bench.pass_time(5)
    assert bench.state(run) == "QUEUED"


def test_the_timers_loop_wakes_for_a_timer_that_is_set_while_it_sleeps(bench: Bench) -> None:
    """Given running loops that have nothing to do, when a delay is set and passes, then the run is queued."""
    queued = threading.Event()
    bench.worker()

    def look() -> None:
        if bench.count("SELECT count(*) FROM events WHERE kind = 'due'"):
            queued.set()

    bench.engine.listeners.append(look)
    bench.engine.start()
    run = bench.trigger(run_at=bench.clock.now() + 1)
    bench.clock.forward(1)
    bench.trigger(run_at=bench.clock.now() + 1)
    assert queued.wait(30)
    bench.engine.stop()
    assert bench.state(run) == "QUEUED"
