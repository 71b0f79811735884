"""What a step is called with is durable before it is called: made again after a crash, it gets the same."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from detent import Context, Detent, step, task
from detent.testing import harness

made: list[tuple[str, list[str]]] = []


def order(key: str, run_id: str) -> str:
    made.append((key, [str(entry.value) for entry in Detent().runs.journal(run_id) if entry.target == "uuid"]))
    return key


@task(id="orders")
async def orders(ctx: Context) -> None:
    await step("order", order, str(ctx.uuid()), ctx.run.id)


@task(id="orders-of-branches")
async def orders_of_branches(ctx: Context) -> None:
    async def branch() -> None:
        await step("order", order, str(ctx.uuid()), ctx.run.id)

    await asyncio.gather(branch())


@task(id="plain-orders")
def plain_orders(ctx: Context) -> None:
    step.sync("order", order, str(ctx.uuid()), ctx.run.id)


@pytest.mark.parametrize("kind", [orders, orders_of_branches, plain_orders], ids=lambda kind: kind.id)
def test_a_value_of_the_context_is_durable_when_a_step_is_called_with_it(kind: Any) -> None:
    made.clear()
    with harness([kind]) as h:
        h.output(kind.sync.trigger())
    [(key, kept)] = made
    assert kept == [f'"{key}"']
