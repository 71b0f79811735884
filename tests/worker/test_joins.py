"""Branches that wait for each other by asyncio's own means: such a run waits as a whole, and is replayed as it went."""

from __future__ import annotations

import asyncio

import pytest

from detent import Context, queue, task, wait
from detent.testing import harness

MODES = ["never", "always", "random:3"]
one = queue("one-at-a-time", concurrency_limit=1)
orders: dict[str, list[list[object]]] = {}


@task(id="joined-child", queue=one)
async def child(n: int) -> int:
    return n * 2


@task(id="bounded", queue=one)
async def bounded(_: None) -> list[int]:
    room = asyncio.Semaphore(2)

    async def double(n: int) -> int:
        async with room:
            return await child.trigger_and_wait(n).unwrap()

    return await asyncio.gather(*(double(n) for n in range(4)))


@task(id="piped", queue=one)
async def piped(_: None) -> list[int]:
    pipe: asyncio.Queue[int | None] = asyncio.Queue(1)
    out: list[int] = []

    async def produce() -> None:
        for n in range(3):
            await wait.for_(hours=1)
            await pipe.put(n)
        await pipe.put(None)

    async def consume() -> None:
        while (n := await pipe.get()) is not None:
            out.append(await child.trigger_and_wait(n).unwrap())

    async with asyncio.TaskGroup() as group:
        group.create_task(produce())
        group.create_task(consume())
    return out


@task(id="tied")
async def tied(_: None, ctx: Context) -> list[object]:
    order: list[object] = []

    async def inner(a: int, b: int) -> None:
        await wait.for_(hours=(a * 5 + b * 3) % 7 + 1)
        order.append(f"{a}{b}")

    async def outer(a: int) -> None:
        await asyncio.gather(*(inner(a, b) for b in range(3)))
        order.append(a)

    await asyncio.gather(*(outer(a) for a in range(3)))
    orders.setdefault(ctx.run.id, []).append(list(order))
    await wait.for_(hours=1)
    return order


@pytest.mark.parametrize("replay", MODES)
def test_branches_behind_a_semaphore_give_back_the_slot_that_their_children_need(replay: str) -> None:
    with harness([child, bounded], replay=replay) as h:
        assert h.output(bounded.sync.trigger(None)) == [0, 2, 4, 6]


@pytest.mark.parametrize("replay", MODES)
def test_branches_that_are_joined_by_a_queue_wait_as_one(replay: str) -> None:
    with harness([child, piped], replay=replay) as h:
        assert h.output(piped.sync.trigger(None)) == [0, 2, 4]


@pytest.mark.parametrize("replay", MODES)
def test_what_a_run_was_told_in_one_turn_it_is_told_so_again(replay: str) -> None:
    """Given waits that end at the same moment, when the run is replayed, then what follows them comes in the order of
    the first time."""
    with harness([tied], replay=replay) as h:
        handle = tied.sync.trigger(None)
        output = h.output(handle)
    assert all(order == output for order in orders[handle.id])
    assert output == ["00", "11", "22", "01", "20", "12", "10", 1, "02", "21", 0, 2]
