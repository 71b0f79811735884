"""Triggers in quick succession under one key make one run."""

from __future__ import annotations

import random
from typing import Any

import pytest
from tests.engine.bench import Bench, Worker, new
from tests.oracle import check_history

from detent.errors import InvalidOptions
from detent.model.options import new_run
from detent.model.protocol import Debounce, Handle, NewRun, Triggered


def burst(key: str = "k", delay: float = 5, mode: str = "leading", most: float | None = None, **options: Any) -> NewRun:
    debounce = Debounce(key, round(delay * 1000), mode, None if most is None else round(most * 1000))
    return new(debounce=debounce, **options)


def test_the_first_trigger_is_delayed_and_each_further_one_pushes_its_start(bench: Bench) -> None:
    bench.worker()
    first = burst()
    assert bench.trigger_all([first]) == [Handle(first.id)]
    for _ in range(3):
        bench.pass_time(4)
        assert bench.trigger_all([burst()]) == [Handle(first.id, cached=True)]
    assert bench.state(first.id) == "DELAYED"
    bench.pass_time(4.9)
    assert bench.state(first.id) == "DELAYED"
    bench.pass_time(0.1)
    assert bench.state(first.id) == "QUEUED"
    assert bench.history(first.id) == ["trigger:DELAYED", *["debounced:DELAYED"] * 3, "due:QUEUED"]
    assert bench.count("SELECT count(*) FROM runs") == 1


def test_the_engine_wakes_for_the_pushed_start(bench: Bench) -> None:
    bench.worker()
    bench.trigger_all([burst()])
    bench.pass_time(3)
    bench.trigger_all([burst()])
    assert bench.engine.next_due() == bench.clock.now() + 5000


def test_a_run_that_was_pushed_is_queued_behind_those_that_came_before_its_start(bench: Bench) -> None:
    worker = bench.worker()
    [debounced] = bench.trigger_all([burst(delay=1)])
    bench.pass_time(0.5)
    bench.trigger_all([burst(delay=1)])
    bench.clock.forward(0.8)
    other = bench.trigger()
    bench.pass_time(1)
    assert worker.work_off(1) == [other, debounced.id]


def test_the_start_is_never_pushed_past_the_longest_delay(bench: Bench) -> None:
    bench.worker()
    [first] = bench.trigger_all([burst(most=12)])
    for _ in range(2):
        bench.pass_time(4)
        assert bench.trigger_all([burst(most=12)])[0].id == first.id
    bench.pass_time(3.9)
    assert bench.trigger_all([burst(most=12)])[0].id == first.id
    assert bench.state(first.id) == "DELAYED"
    bench.pass_time(0.1)
    assert bench.state(first.id) == "QUEUED"


@pytest.mark.parametrize(("mode", "kept"), [("leading", 1), ("trailing", 3)])
def test_the_mode_says_whose_payload_metadata_and_tags_the_run_gets(bench: Bench, mode: str, kept: int) -> None:
    worker = bench.worker()
    for n in (1, 2, 3):
        bench.trigger_all([burst(mode=mode, payload=str(n), metadata=f'{{"n":{n}}}', tags=[f"t{n}"], priority=n)])
    bench.pass_time(5)
    grant = worker.take()
    assert (grant.payload, grant.metadata, grant.tags) == (str(kept), f'{{"n":{kept}}}', (f"t{kept}",))
    assert grant.priority == 1
    assert bench.count(f"SELECT count(*) FROM run_tags WHERE tag = 't{kept}'") == 1
    assert bench.count("SELECT count(*) FROM run_tags") == 1


def test_a_large_payload_is_replaced_by_a_small_one(bench: Bench) -> None:
    worker = bench.worker()
    bench.trigger_all([burst(mode="trailing", payload=None, payload_ref="runs/x/payload.json")])
    bench.trigger_all([burst(mode="trailing", payload="2")])
    bench.pass_time(5)
    grant = worker.take()
    assert (grant.payload, grant.payload_ref) == ("2", None)


def test_keys_and_tasks_have_windows_of_their_own(bench: Bench) -> None:
    bench.worker("work", "other")
    runs = [burst("a"), burst("b"), new("other", debounce=Debounce("a", 5000))]
    assert bench.trigger_all(runs) == [Handle(run.id) for run in runs]


@pytest.mark.parametrize("left", ["queued", "executing", "retrying", "completed", "cancelled"])
def test_a_trigger_opens_a_new_window_once_the_run_is_not_delayed_any_more(bench: Bench, left: str) -> None:
    worker = bench.worker()
    [first] = bench.trigger_all([burst()])
    if left == "cancelled":
        bench.engine.cancel(first.id)
    else:
        bench.pass_time(5)
    if left in {"executing", "retrying", "completed"}:
        grant = worker.take()
        if left == "retrying":
            worker.finish(grant, "DELAYED", retry_at=bench.clock.now() + 60_000)
        if left == "completed":
            worker.finish(grant)
    second = burst()
    assert bench.trigger_all([second]) == [Handle(second.id)]
    assert bench.trigger_all([burst()]) == [Handle(second.id, cached=True)]


def test_a_run_whose_task_nobody_runs_yet_is_found_whatever_its_delay(bench: Bench) -> None:
    [first] = bench.trigger_all([burst()])
    assert bench.state(first.id) == "PENDING_VERSION"
    bench.pass_time(3600)
    bench.engine.tidy()
    assert bench.trigger_all([burst()]) == [Handle(first.id, cached=True)]
    bench.worker()
    assert bench.state(first.id) == "DELAYED"
    bench.pass_time(5)
    assert bench.state(first.id) == "QUEUED"


def test_a_batch_debounces_within_itself(bench: Bench) -> None:
    bench.worker()
    runs = [burst(payload="1", mode="trailing"), new(), burst(payload="2", mode="trailing")]
    handles = bench.trigger_all(runs)
    assert handles == [Handle(runs[0].id), Handle(runs[1].id), Handle(runs[0].id, cached=True)]
    assert bench.row(runs[0].id)["payload"] == "2"


def test_a_trigger_that_is_sent_again_changes_nothing(bench: Bench) -> None:
    worker = bench.worker()
    [first] = bench.trigger_all([burst()])
    again = burst(payload="2", mode="trailing")
    bench.trigger_all([again])
    bench.pass_time(2)
    bench.trigger_all([again])
    bench.pass_time(3)
    worker.finish(worker.take())
    assert bench.trigger_all([again]) == [Handle(first.id, cached=True)]
    assert bench.count("SELECT count(*) FROM runs") == 1


def test_the_idempotency_key_wins(bench: Bench) -> None:
    """Given a key that was used, when it comes again, then nothing is pushed, and the first run is found even when
    its window is over."""
    worker = bench.worker()
    [first] = bench.trigger_all([burst(idempotency_key="i")])
    bench.trigger_all([burst(idempotency_key="j")])
    bench.pass_time(3)
    for key in "ij":
        assert bench.trigger_all([burst(idempotency_key=key)]) == [Handle(first.id, cached=True)]
    bench.pass_time(2)
    worker.finish(worker.take())
    for key in "ij":
        assert bench.trigger_all([burst(idempotency_key=key)]) == [Handle(first.id, cached=True)]


def test_a_failed_run_releases_the_keys_of_all_who_pushed_it(bench: Bench) -> None:
    worker = bench.worker()
    [first] = bench.trigger_all([burst(idempotency_key="i")])
    bench.trigger_all([burst(idempotency_key="j")])
    bench.pass_time(5)
    worker.finish(worker.take(), "FAILED")
    [second] = bench.trigger_all([burst(idempotency_key="j")])
    assert second.id != first.id


def test_the_ttl_counts_from_the_pushed_start(bench: Bench) -> None:
    bench.worker()
    [first] = bench.trigger_all([burst(ttl_ms=2000)])
    bench.pass_time(4)
    bench.trigger_all([burst(ttl_ms=2000)])
    bench.pass_time(6)
    assert bench.state(first.id) == "QUEUED"
    bench.pass_time(1)
    assert bench.state(first.id) == "EXPIRED"


def test_a_parent_that_runs_again_finds_the_debounced_run(bench: Bench) -> None:
    """Given a parent that debounced a child and was lost, when it runs again after the window, then it finds that
    child and opens no window."""
    worker = bench.worker("parent", "work")
    bench.trigger("parent")
    grant = worker.take()
    [handle] = worker.trigger(grant, "1", burst()).handles
    bench.pass_time(5)
    worker.release(grant)
    other = bench.worker("parent", "work")
    grants = {grant.task: grant for grant in other.claim(2)}
    other.finish(grants["work"])
    answer = other.trigger(grants["parent"], "1", burst())
    assert isinstance(answer, Triggered)
    assert answer.handles == [handle]
    assert bench.count("SELECT count(*) FROM runs") == 2


def test_two_parents_wait_for_the_run_that_they_debounced_together(bench: Bench) -> None:
    worker = bench.worker("parent", "work")
    parents = [bench.trigger("parent"), bench.trigger("parent")]
    for grant in worker.claim(2):
        worker.fan_out(grant, "1", burst())
    bench.pass_time(5)
    worker.finish(worker.take(), output="7")
    assert [[run.output for run in grant.results[0].runs] for grant in worker.claim(2)] == [["7"], ["7"]]
    assert all(bench.state(parent) == "EXECUTING" for parent in parents)


def test_two_hundred_keys_in_bursts_make_one_run_for_each_window_also_when_the_engine_restarts(bench: Bench) -> None:
    """Given bursts of triggers in three rounds, when the engine restarts in between, then every window has its run,
    and the run has the payload of the window's last trigger."""
    chance = random.Random(24)
    last: dict[tuple[str, int], str] = {}
    for turn in range(3):
        worker: Worker = bench.worker()
        todo = [f"key-{n}" for n in range(200) for _ in range(chance.randrange(1, 6))]
        chance.shuffle(todo)
        for place, key in enumerate(todo):
            last[key, turn] = payload = f'"{turn}:{place}"'
            bench.trigger_all([burst(key, mode="trailing", payload=payload, tags=[key])])
            if place % 97 == 0:
                bench.pass_time(0.4)
            if place % 211 == 0:
                bench.restart()
                worker = bench.worker()
        bench.pass_time(5)
        bench.restart()
        worker = bench.worker()
        assert len(worker.work_off()) == 200
    rows = bench.store.read_sql("SELECT payload, tags FROM runs", {})
    assert sorted((row["tags"], row["payload"]) for row in rows) == sorted(
        (f'["{key}"]', payload) for (key, _), payload in last.items()
    )
    check_history(bench.store).raise_if_wrong()


def test_windows_are_forgotten_some_time_after_their_end(bench: Bench) -> None:
    bench.worker()
    bench.trigger_all([burst()])
    bench.engine.tidy()
    bench.pass_time(6)
    bench.engine.tidy()
    assert bench.count("SELECT count(*) FROM debounces") == 1
    bench.pass_time(600)
    bench.engine.tidy()
    assert bench.count("SELECT count(*) FROM debounces") == 0


def test_the_option_is_turned_into_a_debounce() -> None:
    run = new_run("work", "{}", {"debounce": {"key": "k", "delay": "5s", "max_delay": 60, "mode": "trailing"}}, now=0)
    assert run.debounce == Debounce("k", 5000, "trailing", 60_000)
    run = new_run("work", "{}", {"debounce": {"key": "k", "delay": 1, "max_delay": None}}, now=0)
    assert run.debounce == Debounce("k", 1000, "leading", None)


@pytest.mark.parametrize(
    ("debounce", "told"),
    [
        ("k", "debounce must be a mapping"),
        ({"delay": "5s"}, "debounce.key is missing"),
        ({"key": "k"}, "debounce.delay is missing"),
        ({"key": "", "delay": "5s"}, "debounce.key must be a text of 1 to 512 characters"),
        ({"key": "x" * 513, "delay": "5s"}, "got 513 characters"),
        ({"key": 7, "delay": "5s"}, "debounce.key must be a text of 1 to 512 characters, got 7"),
        ({"key": "k", "delay": "900ms"}, "debounce.delay must be at least 1 s"),
        ({"key": "k", "delay": "soon"}, "debounce.delay: 'soon'"),
        ({"key": "k", "delay": "5s", "mode": "last"}, "debounce.mode must be one of leading, trailing, got 'last'"),
        ({"key": "k", "delay": "5s", "max_delay": "4s"}, "debounce.max_delay must be at least debounce.delay"),
        ({"key": "k", "delay": "5s", "maxDelay": "9s"}, "debounce has no 'maxDelay'; it has: key, delay, mode"),
    ],
)
def test_a_debounce_that_cannot_be_is_refused_with_the_field(debounce: Any, told: str) -> None:
    with pytest.raises(InvalidOptions, match=told.replace("'", "'")):
        new_run("work", "{}", {"debounce": debounce}, now=0)


def test_delay_and_debounce_exclude_each_other() -> None:
    with pytest.raises(InvalidOptions, match="leave delay out"):
        new_run("work", "{}", {"debounce": {"key": "k", "delay": "5s"}, "delay": "1m"}, now=0)
