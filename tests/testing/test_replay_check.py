"""`replay_check` passes tasks that may be replayed, and says of the others what differs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from detent import Context, Retry, step, task, wait
from detent.testing import replay_check

done: list[Any] = []
turns: list[int] = []


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()
    turns.clear()


@task(id="checked-child", retry=Retry(max_attempts=2, randomize=False))
async def child(n: int, ctx: Context) -> dict[str, Any]:
    await wait.for_(hours=n)
    if ctx.attempt.number == 1:
        raise ValueError("once")
    return {"n": n, "chance": ctx.random(), "id": str(ctx.uuid()), "run": ctx.run.id}


@task(id="checked")
async def checked(_: None, ctx: Context) -> list[Any]:
    began = ctx.now()
    results = await asyncio.gather(*(child.trigger_and_wait(n).unwrap() for n in (3, 1, 2)))
    await step("note", done.append, "noted")
    return [*results, (ctx.now() - began).total_seconds(), (await child.batch_trigger([9])).id]


@task(id="checked-plain")
def checked_plain() -> Any:
    return child.sync.trigger_and_wait(1).unwrap()


def test_a_task_that_keeps_to_the_rules_passes_and_gives_its_output() -> None:
    first, *_ = replay_check(checked, None, effects=done)
    assert first["n"] == 3
    assert done == ["noted"]
    assert replay_check(checked_plain)["n"] == 1


@task(id="checked-fails", retry=Retry(max_attempts=1))
async def fails() -> None:
    await wait.for_(hours=1)
    raise ValueError("as it must")


def test_a_task_that_fails_both_times_passes_without_an_output() -> None:
    assert replay_check(fails) is None


@task(id="checked-memory")
async def remembers() -> int:
    turns.append(1)
    await wait.for_(hours=1)
    return len(turns)


def test_an_output_that_counts_what_memory_holds_is_shown_warm_and_cold() -> None:
    with pytest.raises(AssertionError, match=r"checked-memory \(run_\w+\), output:\n +warm 1\n +cold 3"):
        replay_check(remembers)


@task(id="checked-turncoat")
async def turncoat() -> None:
    turns.append(1)
    await step(f"step {len(turns)}", done.append, 1)
    await wait.for_(hours=1)


def test_a_task_that_goes_another_way_is_named_with_both_ways() -> None:
    with pytest.raises(AssertionError, match=r"went another way than before.*step 2.*step 3"):
        replay_check(turncoat)


@task(id="checked-waits")
async def waits() -> None:
    await wait.for_token(await wait.create_token())


def test_a_task_that_waits_for_others_says_that_it_needs_help() -> None:
    with pytest.raises(AssertionError, match=r"does not end by itself: it is WAITING\. Pass meanwhile"):
        replay_check(waits)
