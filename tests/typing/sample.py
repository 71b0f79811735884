"""What a type checker must see in a user's code; checked by `test_typing`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_type

from detent import Context, Result, Task, task


@dataclass
class Order:
    item: str


@task(id="typed-sample")
async def bill(order: Order, ctx: Context) -> float:
    return float(len(order.item + ctx.run.id))


@task(id="typed-sample-plain")
def bill_plain(order: Order) -> list[str]:
    return [order.item]


@task(id="typed-sample-nothing")
async def nothing() -> int:
    return 1


async def use() -> None:
    assert_type(bill, Task[Order, float])
    assert_type(bill_plain, Task[Order, list[str]])
    assert_type(await bill.trigger_and_wait(Order("a")).unwrap(), float)
    assert_type(await bill.trigger_and_wait({"item": "a"}), Result[float])
    assert_type(await bill.batch_trigger_and_wait([Order("a"), {"item": "b"}]).unwrap(), list[float])
    assert_type(bill_plain.sync.trigger_and_wait(Order("a")).unwrap(), list[str])
    assert_type(await nothing.trigger_and_wait().unwrap(), int)
    await bill.trigger("a")  # type: ignore[arg-type]
    await bill.trigger(Order("a"), dealy=3)  # type: ignore[call-arg]
    bill.sync.trigger(3)  # type: ignore[arg-type]
    await bill.batch_trigger([1])  # type: ignore[list-item]
