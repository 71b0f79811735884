"""What is not recorded has a place in the journal all the same; what is recorded is found by the right one."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from detent import Context, Retry, retry, step, task, wait
from detent.testing import harness

made: list[str] = []


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    made.clear()


def both(run: Any) -> tuple[Any, Any]:
    """The output of a task in an always cold and in a warm worker."""
    outputs = []
    for replay in ("always", "never"):
        made.clear()
        with harness(replay=replay) as h:
            start = h.clock.now()
            outputs.append((h.output(run.sync.trigger()), h.clock.now() - start))
    return outputs[0], outputs[1]


@task(id="cold-short-then-long")
async def short_then_long() -> str:
    await wait.for_(seconds=2)
    await wait.for_(hours=1)
    return "done"


@task(id="cold-short-then-long-plain")
def short_then_long_plain() -> str:
    wait.sync.for_(seconds=2)
    wait.sync.for_(hours=1)
    return "done"


@pytest.mark.parametrize("run", [short_then_long, short_then_long_plain])
def test_a_short_wait_does_not_take_what_is_recorded_of_the_long_one_after_it(run: Any) -> None:
    with harness(replay="always") as h:
        start = h.clock.now()
        assert h.output(run.sync.trigger()) == "done"
        assert h.clock.now() - start < 2 * 3_600_000


def block(value: Any) -> Any:
    made.append(str(value))
    return value


@task(id="cold-blocks")
async def blocks() -> list[Any]:
    first = await retry.on_throw(block, (1, 2))  # a tuple is not plain JSON, so it is not recorded
    second = await retry.on_throw(block, "second")
    await wait.for_(hours=1)
    return [list(first), second]


def test_a_block_whose_result_is_not_recorded_does_not_take_that_of_the_next_one() -> None:
    cold, warm = both(blocks)
    assert cold[0] == warm[0] == [[1, 2], "second"]


@task(id="cold-batch-child")
async def child(n: int) -> int:
    return n


@task(id="cold-batches")
async def batches() -> list[str]:
    started = await child.batch_trigger([1, 2])
    made.append(started.id)
    ended = await child.batch_trigger_and_wait([3])
    made.append(ended.id)
    await wait.for_(hours=1)
    return [started.id, ended.id]


@task(id="cold-batches-plain")
def batches_plain() -> list[str]:
    started = child.sync.batch_trigger([1, 2])
    made.append(started.id)
    ended = child.sync.batch_trigger_and_wait([3])
    made.append(ended.id)
    wait.sync.for_(hours=1)
    return [started.id, ended.id]


@pytest.mark.parametrize("run", [batches, batches_plain])
def test_a_batch_has_the_same_id_when_its_run_is_replayed(run: Any) -> None:
    with harness(replay="always") as h:
        assert h.output(run.sync.trigger()) == list(dict.fromkeys(made))
        assert len(made) > 2
        assert h.store.read_sql("SELECT count(*) AS n FROM batches", {})[0]["n"] == 2


@task(id="cold-tells-the-time")
async def tells_the_time(_: None, ctx: Context) -> list[str]:
    before = ctx.now()
    await wait.for_(hours=1)
    return [before.isoformat(), ctx.now().isoformat()]


def test_the_time_of_a_run_is_that_of_its_clock() -> None:
    with harness(replay="always") as h:
        before, after = h.output(tells_the_time.sync.trigger())
    assert before.startswith("2026-01-01T00:00:00")
    assert datetime.datetime.fromisoformat(after) - datetime.datetime.fromisoformat(before) == datetime.timedelta(
        hours=1
    )


@task(id="cold-other-order", retry=Retry(max_attempts=2, randomize=False))
async def other_order(_: None, ctx: Context) -> list[str]:
    seen = []
    if ctx.attempt.number == 2:
        seen.append(await step("new", block, "new"))
    await wait.for_(hours=1)
    seen.append(await step("old", block, "old"))
    if ctx.attempt.number == 1:
        raise ValueError("once")
    await wait.for_(hours=1)
    return seen


def test_a_later_attempt_is_replayed_in_its_own_order_of_what_an_earlier_one_finished() -> None:
    cold, warm = both(other_order)
    assert cold == warm
    assert cold[0] == ["new", "old"]
    assert made == ["old", "new"]


@task(id="cold-blocks-at-last")
async def blocks_at_last() -> str:
    try:
        await wait.for_(hours=1)
    finally:
        await retry.on_throw(block, "at last")
    return "done"


def test_a_block_in_a_finally_is_not_made_while_the_run_is_taken_off_its_worker() -> None:
    with harness(replay="always") as h:
        assert h.output(blocks_at_last.sync.trigger()) == "done"
    assert made == ["at last"]
