"""Branches are told things in the same order again: what depends on the order comes out the same."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from tests.worker.elsewhere import go_elsewhere

from detent import Context, Retry, step, tags, task, wait
from detent.client import Detent
from detent.sdk.result import RunHandle
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
seen: list[Any] = []


@pytest.fixture
def h() -> Iterator[Harness]:
    seen.clear()
    with harness() as made:
        yield made


@task(id="o-child", retry=once)
async def child(hours: float) -> float:
    await wait.for_(hours=hours)
    return hours


async def by_gather(order: list[Any]) -> Any:
    async def branch(n: int) -> int:
        await wait.for_(hours=5 - n)
        order.append(n)
        await step("note", lambda: n)
        order.append(f"{n}'")
        return n

    return await asyncio.gather(*(branch(n) for n in range(5)))


async def by_group(order: list[Any]) -> Any:
    async def branch(n: int) -> None:
        got = await child.trigger_and_wait((n * 7) % 5 + 0.5).unwrap()
        order.append([n, got])

    async with asyncio.TaskGroup() as group:
        for n in range(5):
            group.create_task(branch(n))
    return None


async def by_as_completed(order: list[Any]) -> Any:
    async def branch(n: int) -> int:
        await wait.for_(hours=1 + (n * 3) % 5)
        return n

    for done in asyncio.as_completed([branch(n) for n in range(5)]):
        order.append(await done)
        await step("between", lambda: None)
    return None


async def by_first_completed(order: list[Any]) -> Any:
    pending = {asyncio.create_task(child.trigger_and_wait(hours).unwrap(), name=str(hours)) for hours in (4, 2, 3)}
    while pending:
        done, pending = await asyncio.wait(pending, return_when=asyncio.FIRST_COMPLETED)
        order.append(sorted(one.get_name() for one in done))
    return None


async def by_wait_for(order: list[Any]) -> Any:
    for hours, limit in ((1, 7200), (3, 3600)):
        try:
            await asyncio.wait_for(wait.for_(hours=hours), limit)
            order.append("in time")
        except TimeoutError:
            order.append("too late")
    await wait.for_(hours=1)
    return None


async def by_timeout_around_all(order: list[Any]) -> Any:
    async def branch(hours: int) -> None:
        try:
            await wait.for_(hours=hours)
            order.append(hours)
        except asyncio.CancelledError:
            order.append(f"cut {hours}")
            raise

    try:
        async with asyncio.timeout(2.5 * 3600):
            await asyncio.gather(branch(3), branch(1), branch(2), branch(4))
    except TimeoutError:
        order.append("timeout")
    await wait.for_(hours=1)
    return None


async def by_nested(order: list[Any]) -> Any:
    async def inner(a: int, b: int) -> str:
        await wait.for_(hours=(4, 8, 2, 9, 1, 6, 3, 7, 5)[a * 3 + b])
        order.append(f"{a}{b}")
        return f"{a}{b}"

    async def outer(a: int) -> list[str]:
        got = await asyncio.gather(*(inner(a, b) for b in range(3)))
        order.append(a)
        return got

    return await asyncio.gather(*(outer(a) for a in range(3)))


async def by_failing(order: list[Any]) -> Any:
    async def branch(n: int) -> None:
        await wait.for_(hours=n)
        order.append(n)
        if n == 2:
            raise ValueError("two")

    try:
        async with asyncio.TaskGroup() as group:
            for n in (3, 2, 1):
                group.create_task(branch(n))
    except* ValueError as errors:
        order.append(str(errors.exceptions[0]))
    await wait.for_(hours=1)
    return None


WAYS = {
    way.__name__: way
    for way in (
        by_gather,
        by_group,
        by_as_completed,
        by_first_completed,
        by_wait_for,
        by_timeout_around_all,
        by_nested,
        by_failing,
    )
}


@task(id="o-way", retry=once)
async def go(way: str, ctx: Context) -> list[Any]:
    order: list[Any] = []
    seen.append(order)
    got = await WAYS[way](order)
    tags.add("way done")
    await wait.for_(hours=1)
    return [order, got]


def until_the_last_wait(h: Harness, way: str) -> RunHandle:
    """A run that was told everything by one worker, and waits for its last hour."""
    handle = go.sync.trigger(way)
    h.drain(advance=False)
    for _ in range(20):
        if "way done" in h.run(handle).tags:
            return handle
        h.advance("30m")
    raise AssertionError("the run has no end")


@pytest.mark.parametrize("way", WAYS)
def test_a_replay_tells_everything_in_the_order_of_the_first_time(h: Harness, way: str) -> None:
    handle = until_the_last_wait(h, way)
    first = list(seen[0])
    assert len(seen) == 1
    go_elsewhere(h)
    order, _ = h.output(handle)
    assert seen == [first, first]
    assert order == first


@pytest.mark.parametrize("way", WAYS)
def test_a_run_that_is_lost_every_hour_never_takes_back_what_it_saw(h: Harness, way: str) -> None:
    handle = go.sync.trigger(way)
    h.drain(advance=False)
    while h.run(handle).status == "WAITING":
        go_elsewhere(h)
        h.advance("1h")
    ended = h.run(handle)
    assert ended.status == "COMPLETED", h.store.read("find_run", id=handle.id)[0]["paused"] or ended.error
    assert len(seen) > 2
    for order in seen:
        assert order == ended.output[0][: len(order)]


@task(id="o-at-once", retry=once)
async def at_once(ctx: Context) -> list[int]:
    tokens = [await wait.create_token(tags=f"n{n}") for n in range(6)]
    order: list[int] = []

    async def branch(n: int) -> None:
        await wait.for_token(tokens[n])
        order.append(n)

    await asyncio.gather(*(branch(n) for n in range(6)))
    seen.append(list(order))
    await wait.for_(hours=1)
    return order


def test_branches_that_are_told_from_outside_keep_the_order_of_the_first_time(h: Harness) -> None:
    client = Detent(h.transport)
    handle = at_once.sync.trigger()
    h.drain(advance=False)
    for n in (4, 1, 5, 0, 3, 2):
        [token] = client.tokens.list(tag=f"n{n}")
        client.tokens.complete(token.id)
        h.drain(advance=False)
        if n in (1, 3):
            go_elsewhere(h)
            h.drain(advance=False)
    go_elsewhere(h)
    assert h.output(handle) == [4, 1, 5, 0, 3, 2]
    assert seen == [[4, 1, 5, 0, 3, 2]] * 2
