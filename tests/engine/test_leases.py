from __future__ import annotations

from collections.abc import Callable

from tests.engine.bench import Bench

from detent.model.protocol import Claim, Done, Failure, Welcome


def test_a_silent_worker_loses_its_runs_after_45_seconds_and_one_that_beats_keeps_them(bench: Bench) -> None:
    silent, beating = bench.worker("a"), bench.worker("b")
    bench.engine.check_leases()
    bench.watch_leases(50, silent, beating)
    lost, kept = bench.trigger("a"), bench.trigger("b")
    silent.take()
    beating.take()
    silent.beat()
    assert bench.watch_leases(40, beating) == []
    assert bench.watch_leases(5, beating) == [silent.id]
    assert (bench.state(lost), bench.state(kept)) == ("QUEUED", "EXECUTING")
    assert isinstance(silent.beat(), Failure)


def test_a_run_whose_worker_dies_is_claimable_at_once_and_ahead_of_new_ones(bench: Bench) -> None:
    first, second = bench.worker(), bench.worker()
    run = bench.trigger()
    grant = first.take()
    second.claim()
    bench.trigger(priority=1_000_000)
    second.pushes.clear()
    second.claim(0)
    assert bench.engine.lose_worker(first.id, "signal 9") == 1
    again = second.take()
    assert (again.run_id, again.epoch, again.attempt, again.crashes) == (run, grant.epoch + 1, 1, 1)
    assert bench.history(run) == [
        "trigger:QUEUED",
        "claim:EXECUTING",
        "lose_lease:QUEUED",
        "claim:EXECUTING",
    ]


def test_a_death_that_is_reported_twice_counts_once(bench: Bench) -> None:
    worker = bench.worker()
    run = bench.trigger()
    worker.take()
    assert bench.engine.lose_worker(worker.id, "signal 9") == 1
    assert bench.engine.lose_worker(worker.id, "signal 9") == 0
    assert bench.engine.lose_worker("worker_nobody", "signal 9") == 0
    assert bench.row(run)["crashes"] == 1


def test_a_run_that_loses_three_workers_without_progress_has_crashed(bench: Bench) -> None:
    run = bench.trigger(known=True)
    for _ in range(3):
        worker = bench.worker()
        worker.take()
        bench.engine.lose_worker(worker.id, "signal 9")
    assert bench.state(run) == "CRASHED"
    assert bench.error(run)["code"] == "crashed"
    assert "signal 9" in bench.error(run)["message"]
    assert bench.worker().claim() == []


def test_progress_forgives_lost_workers(bench: Bench) -> None:
    run = bench.trigger("parent", known=True)
    for n in range(6):
        worker = bench.worker("parent", "child")
        grant = next(grant for grant in worker.claim(9) if grant.task == "parent")
        worker.trigger(grant, f"{n}", "child")
        bench.engine.lose_worker(worker.id, "signal 9")
    assert bench.state(run) == "QUEUED"


def test_going_over_the_same_ground_again_is_no_progress(bench: Bench) -> None:
    run = bench.trigger("parent", known=True)
    for _ in range(4):
        worker = bench.worker("parent", "child")
        grants = [grant for grant in worker.claim(9) if grant.task == "parent"]
        if grants:
            worker.trigger(grants[0], "1", "child")
        bench.engine.lose_worker(worker.id, "signal 9")
    assert bench.state(run) == "CRASHED"


def test_a_dead_worker_frees_the_runs_that_it_had_parked(bench: Bench) -> None:
    first, second = bench.worker("parent", "child"), bench.worker("parent", "child")
    run = bench.trigger("parent")
    first.fan_out(first.take(), "1", "child")
    child = second.take()
    bench.engine.lose_worker(first.id, "signal 9")
    second.finish(child)
    assert second.take().run_id == run


def test_a_dead_worker_frees_the_runs_that_were_kept_for_it(bench: Bench) -> None:
    first, second = bench.worker("parent", "child"), bench.worker("parent", "child")
    run = bench.trigger("parent")
    first.fan_out(first.take(), "1", "child")
    second.finish(second.take())
    assert second.claim() == []
    second.pushes.clear()
    bench.engine.lose_worker(first.id, "signal 9")
    assert second.rung()
    assert second.take().run_id == run


def test_after_a_restart_nobody_is_judged_for_one_full_lease(bench: Bench) -> None:
    """Given a server that was away for an hour, when it is back, then its workers keep their runs."""
    worker = bench.worker()
    run = bench.trigger()
    worker.take()
    bench.clock.forward(3600)
    bench.restart()
    assert bench.watch_leases(40) == []
    assert isinstance(worker.hello(), Welcome)
    assert bench.watch_leases(40, worker) == []
    assert bench.state(run) == "EXECUTING"
    assert bench.watch_leases(60) == [worker.id]
    bench.engine.store.close()


def test_a_jump_of_the_clock_kills_nobody(bench: Bench) -> None:
    worker = bench.worker()
    bench.watch_leases(60, worker)
    for jump in (3600, -3600, 50):
        bench.clock.forward(jump)
        assert bench.engine.check_leases() == []
        assert bench.watch_leases(60, worker) == []


def test_a_worker_that_falls_silent_after_the_clock_was_set_back_is_given_up_in_time(bench: Bench) -> None:
    """Given a clock that is set back by a day, when a worker says nothing from then on, then its lease passes as ever,
    and not a day later."""
    silent, beating = bench.worker(), bench.worker()
    bench.watch_leases(60, silent, beating)
    bench.clock.forward(-86_400)
    assert bench.watch_leases(45, beating) == []
    assert bench.watch_leases(10, beating) == [silent.id]


def test_the_length_of_a_lease_can_be_set(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(lease_ms=1_800)
    silent, beating = bench.worker(), bench.worker()
    assert silent.hello() == Welcome(200, 1_800, "dev")
    lost: list[str] = []
    for _ in range(10):
        bench.clock.forward(0.2)
        beating.beat()
        lost += bench.engine.check_leases()
    assert lost == [silent.id]


def test_a_worker_that_comes_back_on_another_connection_keeps_its_runs(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    grant = worker.take()
    old = worker.session
    assert isinstance(worker.hello(), Welcome)
    bench.engine.disconnect(old)
    assert bench.engine.knows("work")
    assert worker.finish(grant) == Done()


def test_a_worker_that_was_given_up_must_come_back_under_another_id(bench: Bench) -> None:
    worker = bench.worker()
    bench.engine.lose_worker(worker.id, "signal 9")
    answer = worker.hello()
    assert isinstance(answer, Failure)
    assert "start it anew" in answer.message
    assert bench.engine.knows("work") is None


def test_runs_that_are_handed_back_spend_no_attempt_and_count_no_crash(bench: Bench) -> None:
    first, second = bench.worker(), bench.worker()
    bench.trigger()
    grant = first.take()
    first.release(grant)
    again = second.take()
    assert (again.run_id, again.attempt, again.crashes, again.epoch) == (grant.run_id, 1, 0, grant.epoch + 1)
    assert isinstance(first.finish(grant), Failure)
    first.release(grant)
    assert second.finish(again) == Done()


def test_a_worker_that_stops_frees_the_runs_that_it_had_parked(bench: Bench) -> None:
    first, second = bench.worker("parent", "child"), bench.worker("parent", "child")
    run = bench.trigger("parent")
    first.fan_out(first.take(), "1", "child")
    second.finish(second.take())
    first.release()
    assert second.take().run_id == run


def test_the_hello_of_a_worker_makes_its_claims_possible_at_once(bench: Bench) -> None:
    run = bench.trigger("late")
    worker = bench.worker("late")
    assert worker.say(Claim(async_=1))[0].grants[0].run_id == run
