from __future__ import annotations

from collections import Counter
from collections.abc import Callable

import pytest
from tests.engine.bench import Bench, new

from detent.model.manifest import QueueSpec
from detent.model.protocol import Claim, Failure


def test_no_more_runs_of_a_queue_execute_than_its_limit(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 3)])
    for _ in range(10):
        bench.trigger()
    grants = worker.claim(10)
    assert len(grants) == 3
    assert worker.claim(10) == []
    worker.finish(grants[0])
    assert len(worker.claim(10)) == 1


def test_a_limit_of_zero_starts_nothing(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 0)])
    bench.trigger()
    assert worker.claim(10) == []


def test_no_more_runs_of_a_key_execute_than_the_limit_per_key(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 5, 2)])
    for _ in range(10):
        bench.trigger(concurrency_key="a")
        bench.trigger(concurrency_key="b")
    grants = worker.claim(10)
    assert Counter(grant.concurrency_key for grant in grants) == {"a": 2, "b": 2}
    worker.finish(grants[0])
    assert [grant.concurrency_key for grant in worker.claim(10)] == [grants[0].concurrency_key]


def test_keys_at_their_limit_with_nothing_queued_do_not_hold_up_a_claim(bench: Bench) -> None:
    """Given two keys whose last queued run has just been taken up to the limit, then a claim comes to an
    end."""
    worker = bench.worker("work@q", queues=[QueueSpec("q", None, 1)])
    bench.trigger(concurrency_key="a")
    bench.trigger(concurrency_key="b")
    assert len(worker.claim(1)) == 1
    assert len(worker.claim(1)) == 1
    assert worker.claim(5) == []
    bench.trigger(concurrency_key="c")
    assert len(worker.claim(5)) == 1


def test_no_more_runs_of_an_environment_execute_than_its_limit(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(env_limit=4)
    worker = bench.worker("a", "b", sync=["s"])
    for _ in range(5):
        bench.trigger("a")
        bench.trigger("b")
        bench.trigger("s")
    grants = worker.claim(3, sync=3)
    assert len(grants) == 4
    assert worker.claim(3, sync=3) == []
    worker.finish(grants[0])
    assert worker.rung()
    assert len(worker.claim(3, sync=3)) == 1


def test_the_keys_of_a_queue_are_served_in_turn_whatever_their_backlogs(bench: Bench) -> None:
    """Given one key with 10,000 runs, when two others bring five each, then these wait for one turn each."""
    worker = bench.worker("work@q", queues=[QueueSpec("q", 1)])
    for _ in range(10):
        bench.trigger_all([new(concurrency_key="big") for _ in range(1000)])
    bench.trigger_all([new(concurrency_key=key) for key in ("x", "y") for _ in range(5)])
    order = []
    for _ in range(15):
        grant = worker.take()
        order.append(grant.concurrency_key)
        worker.finish(grant)
    assert Counter(order) == {"big": 5, "x": 5, "y": 5}
    assert all(set(order[n : n + 3]) == {"big", "x", "y"} for n in range(0, 15, 3))


def test_a_key_that_comes_and_goes_does_not_starve_a_backlog(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 1)])
    bench.trigger_all([new(concurrency_key="zz") for _ in range(10)])
    order = []
    for n in range(20):
        bench.trigger(concurrency_key=f"a{n}")
        grant = worker.take()
        order.append(grant.concurrency_key)
        worker.finish(grant)
    assert order.count("zz") >= 5


def test_a_wide_claim_is_shared_out_among_the_keys(bench: Bench) -> None:
    worker = bench.worker("work@q")
    bench.trigger_all([new(concurrency_key="big") for _ in range(500)])
    bench.trigger_all([new(concurrency_key="small") for _ in range(20)])
    grants = worker.claim(40)
    assert Counter(grant.concurrency_key for grant in grants) == {"big": 20, "small": 20}


def test_without_keys_runs_start_in_the_order_of_their_triggers(bench: Bench) -> None:
    worker = bench.worker()
    ids = [bench.trigger() for _ in range(20)]
    assert [grant.run_id for grant in worker.claim(20)] == ids


def test_of_several_queues_the_one_with_the_oldest_run_comes_first(bench: Bench) -> None:
    tasks = [f"t{n}@q{n}" for n in range(50)]
    worker = bench.worker(*tasks)
    ids = []
    for n in reversed(range(50)):
        ids.append(bench.trigger(f"t{n}"))
        bench.clock.forward(1)
    assert worker.work_off(1) == ids


def test_a_full_queue_does_not_hold_up_the_others(bench: Bench) -> None:
    worker = bench.worker("a@one", "b@two", queues=[QueueSpec("one", 1)])
    for task in ("a", "a", "b"):
        bench.trigger(task)
    assert sorted(grant.task for grant in worker.claim(5)) == ["a", "b"]


def test_a_paused_queue_starts_nothing_and_goes_on_when_it_is_resumed(bench: Bench) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 3)])
    bench.trigger()
    bench.engine.pause_queue("q")
    assert worker.claim(5) == []
    worker.pushes.clear()
    bench.engine.pause_queue("q", paused=False)
    assert worker.rung()
    assert len(worker.claim(5)) == 1
    assert bench.store.read("find_queue", env="dev", name="q")[0]["limit_n"] == 3


def test_tasks_that_a_worker_does_not_have_are_left_for_others(bench: Bench) -> None:
    first, second = bench.worker("a@q"), bench.worker("b@q")
    for _ in range(3):
        bench.trigger("b", concurrency_key="k")
    bench.trigger("a", concurrency_key="k")
    bench.trigger("a", concurrency_key="l")
    assert [grant.task for grant in first.claim(10)] == ["a", "a"]
    assert [grant.task for grant in second.claim(10)] == ["b"] * 3


def test_plain_and_async_runs_are_claimed_by_their_own_room(bench: Bench) -> None:
    worker = bench.worker("a@q", sync=["s@q"])
    worker = bench.worker("a", sync=["s"])
    for task in ("a", "a", "s", "s"):
        bench.trigger(task)
    assert [grant.task for grant in worker.claim(0, sync=1)] == ["s"]
    assert sorted(grant.task for grant in worker.claim(5, sync=5)) == ["a", "a", "s"]


def test_a_claim_says_whether_asking_again_may_bring_more(bench: Bench) -> None:
    worker = bench.worker()
    for _ in range(3):
        bench.trigger()
    assert [answer.more for answer in worker.say(Claim(async_=2), Claim(async_=2))] == [True, False]


def test_a_worker_that_was_given_up_claims_nothing_more(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    bench.engine.lose_worker(worker.id, "killed")
    [answer] = worker.say(Claim(async_=1))
    assert isinstance(answer, Failure)
    assert answer.code == "lease_lost"
    assert bench.count("SELECT count(*) FROM runs WHERE state = 'EXECUTING'") == 0


def test_a_worker_that_is_about_to_stop_claims_nothing_more(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger()
    worker.release()
    assert worker.claim(5) == []


def test_each_claim_raises_the_epoch(bench: Bench) -> None:
    bench.trigger(known=True)
    for epoch in range(1, 3):
        worker = bench.worker()
        assert worker.take().epoch == epoch
        bench.engine.lose_worker(worker.id, "killed")


@pytest.mark.parametrize("limit", [1, 7])
def test_lanes_are_cleaned_up_when_their_backlog_is_gone(bench: Bench, limit: int) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", limit)])
    bench.trigger_all([new(concurrency_key=f"k{n % 90}") for n in range(300)])
    assert len(worker.work_off()) == 300
    assert bench.count("SELECT count(*) FROM lanes") == 0
