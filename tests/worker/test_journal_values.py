"""Time and chance from the journal, and what a run writes about itself while it is replayed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.worker.elsewhere import entries, go_elsewhere, parked

from detent import Context, Retry, logger, metadata, retry, step, task, wait
from detent.sync import retry as retry_sync
from detent.sync import step as step_sync
from detent.sync import wait as wait_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
seen: list[Any] = []


@pytest.fixture
def h() -> Iterator[Harness]:
    seen.clear()
    with harness() as made:
        yield made


def draw(ctx: Context) -> list[Any]:
    return [str(ctx.uuid()), ctx.random(), ctx.now().isoformat(), ctx.random()]


@task(id="j-values", retry=once)
async def values(ctx: Context) -> list[Any]:
    first = draw(ctx)
    await wait.for_(hours=1)
    second = draw(ctx)
    await wait.for_(hours=1)
    seen.append([first, second])
    return [first, second]


@task(id="j-values-plain", retry=once)
def values_plain(ctx: Context) -> list[Any]:
    first = draw(ctx)
    wait_sync.for_(hours=1)
    second = draw(ctx)
    wait_sync.for_(hours=1)
    seen.append([first, second])
    return [first, second]


@pytest.mark.parametrize("made", [values, values_plain])
def test_time_and_chance_are_the_same_again_in_a_replay(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    kept = [entry["value"] for entry in entries(h, handle) if entry["kind"] == "value"]
    go_elsewhere(h)
    h.advance("1h")
    parked(h, handle)
    go_elsewhere(h)
    first, second = h.output(handle)
    assert len(kept) == 4
    assert [entry["value"] for entry in entries(h, handle) if entry["kind"] == "value"][:4] == kept
    assert (first[2], second[2]) == ("2026-01-01T00:00:00+00:00", "2026-01-01T01:00:00+00:00")
    assert len({first[1], first[3], second[1], second[3]}) == 4
    assert first[0] != second[0]


@task(id="j-branches", retry=once)
async def branches(ctx: Context) -> list[Any]:
    async def branch(n: int) -> list[Any]:
        before = ctx.random()
        await wait.for_(hours=3 - n)
        return [before, ctx.random(), str(ctx.uuid())]

    got = await asyncio.gather(*(branch(n) for n in range(3)))
    got.append([await asyncio.to_thread(ctx.random)])
    seen.append(got)
    await wait.for_(hours=1)
    return got


def test_each_branch_and_helper_thread_has_chance_of_its_own_that_stays(h: Harness) -> None:
    handle = branches.sync.trigger()
    parked(h, handle)
    h.advance("1h 30m")
    go_elsewhere(h)
    h.advance("2h")
    parked(h, handle)
    go_elsewhere(h)
    got = h.output(handle)
    assert seen == [got, got]
    numbers = [value for branch in got for value in branch]
    assert len(set(numbers)) == len(numbers)


@task(id="j-choice", retry=once)
async def choice(ctx: Context) -> str:
    names = [f"part-{int(ctx.random() * 1e9)}" for _ in range(3)]
    for name in names:
        seen.append(await step(name, lambda name=name: name))
    await wait.for_(hours=1)
    return names[-1]


def test_what_chance_chose_is_chosen_again(h: Harness) -> None:
    handle = choice.sync.trigger()
    parked(h, handle)
    go_elsewhere(h)
    last = h.output(handle)
    assert seen[:3] == seen[3:]
    assert seen[-1] == last


@task(id="j-in-step", retry=once)
async def in_step(ctx: Context) -> list[str]:
    inner = await step("inner", lambda: str(ctx.uuid()))
    outer = str(ctx.uuid())
    await wait.for_(hours=1)
    seen.append([inner, outer])
    return [inner, outer]


def test_chance_inside_a_step_is_part_of_the_step(h: Harness) -> None:
    handle = in_step.sync.trigger()
    parked(h, handle)
    assert [entry["kind"] for entry in entries(h, handle)] == ["step", "value", "time"]
    before = [entry["value"].strip('"') for entry in entries(h, handle)[:2]]
    go_elsewhere(h)
    assert h.output(handle) == before


@task(id="j-writes", retry=once)
async def writes(ctx: Context) -> dict[str, Any]:
    logger.info("begins")
    metadata.increment("begun", 1)
    metadata.append("order", "a")
    await wait.for_(hours=1)
    logger.info("goes on")
    metadata.increment("begun", 1)
    metadata.append("order", "b")
    await wait.for_(hours=1)
    logger.info("ends")
    metadata.append("order", "c")
    return dict(metadata.current())


@task(id="j-writes-plain", retry=once)
def writes_plain(ctx: Context) -> dict[str, Any]:
    logger.info("begins")
    metadata.increment("begun", 1)
    metadata.append("order", "a")
    wait_sync.for_(hours=1)
    logger.info("goes on")
    metadata.increment("begun", 1)
    metadata.append("order", "b")
    wait_sync.for_(hours=1)
    logger.info("ends")
    metadata.append("order", "c")
    return dict(metadata.current())


@pytest.mark.parametrize("made", [writes, writes_plain])
@pytest.mark.parametrize("times", [0, 1, 2])
def test_logs_and_metadata_are_written_once_however_often_a_run_is_replayed(h: Harness, made: Any, times: int) -> None:
    handle = made.sync.trigger()
    for n in range(2):
        parked(h, handle)
        if n < times:
            go_elsewhere(h)
        h.advance("1h")
    assert h.run(handle).output == {"begun": 2, "order": ["a", "b", "c"]}
    assert h.run(handle).metadata == {"begun": 2, "order": ["a", "b", "c"]}
    assert [line.message for line in h.logs(handle)] == ["begins", "goes on", "ends"]


def answer(value: Any) -> Any:
    seen.append("made")
    return value


@task(id="j-retried", retry=Retry(max_attempts=2, randomize=False))
async def retried(value: Any, ctx: Context) -> Any:
    got = await retry.on_throw(answer, value)
    await wait.for_(hours=1)
    if ctx.attempt.number == 1:
        raise ValueError("again")
    return got


@task(id="j-retried-plain", retry=Retry(max_attempts=2, randomize=False))
def retried_plain(value: Any, ctx: Context) -> Any:
    got = retry_sync.on_throw(answer, value)
    wait_sync.for_(hours=1)
    if ctx.attempt.number == 1:
        raise ValueError("again")
    return got


@pytest.mark.parametrize("made", [retried, retried_plain])
@pytest.mark.parametrize("value", [{"a": [1, None, 2.5]}, None, "", False], ids=repr)
def test_a_retried_block_of_plain_data_is_kept_for_its_attempt(h: Harness, made: Any, value: Any) -> None:
    handle = made.sync.trigger(value)
    parked(h, handle)
    go_elsewhere(h)
    assert h.output(handle) == value
    assert seen == ["made", "made"]  # once in each attempt


@task(id="j-block", retry=once)
def block_with_step(ctx: Context) -> int:
    got = retry_sync.on_throw(lambda: step_sync("inner", lambda: seen.append("inner") or 4) + 1)
    wait_sync.for_(hours=1)
    return got


def test_a_retried_block_with_a_step_in_it_leaves_the_keeping_to_the_step(h: Harness) -> None:
    handle = block_with_step.sync.trigger()
    parked(h, handle)
    assert [entry["kind"] for entry in entries(h, handle)] == ["step", "time"]
    go_elsewhere(h)
    assert h.output(handle) == 5
    assert seen == ["inner"]
