"""A payload that is left out stands for the default of the parameter, for null or for an empty object."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from detent import Detent, task, tasks
from detent.errors import InvalidPayload
from detent.testing import Harness, harness


class Greeting(BaseModel):
    name: str = "world"


class Order(BaseModel):
    item: str


@task(id="omitted-greeting")
async def greeting(payload: Greeting) -> str:
    return f"Hello, {payload.name}!"


@task(id="omitted-number")
async def number(n: int = 5) -> int:
    return n


@task(id="omitted-option")
async def option(n: int | None) -> str:
    return repr(n)


@task(id="omitted-bare")
async def bare(n=5):  # type: ignore[no-untyped-def]  # what has no annotation has a default all the same
    return n


@task(id="omitted-unfit")
async def unfit(n: int = None) -> int:  # type: ignore[assignment]  # noqa: RUF013  # people write it so
    return n


@task(id="omitted-order")
async def order(payload: Order) -> str:
    return payload.item


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness() as made:
        yield made


def test_an_omitted_payload_is_the_default_null_or_an_empty_object(h: Harness) -> None:
    assert h.output(greeting.sync.trigger()) == "Hello, world!"
    assert h.output(number.sync.trigger()) == 5
    assert h.output(option.sync.trigger()) == "None"


def test_the_same_holds_by_id_where_the_task_is_not_at_hand(h: Harness) -> None:
    assert h.output(tasks.sync.trigger("omitted-greeting")) == "Hello, world!"
    client = Detent()
    assert h.output(client.tasks.trigger("omitted-greeting").id) == "Hello, world!"
    assert h.output(client.tasks.trigger("omitted-number").id) == 5
    assert h.output(client.tasks.trigger("omitted-option").id) == "None"
    assert h.output(client.tasks.trigger("omitted-bare").id) == 5


def test_a_task_whose_default_does_not_fit_still_runs_with_a_payload(h: Harness) -> None:
    assert "default" not in (unfit.spec().payload_schema or {})
    assert h.output(unfit.sync.trigger(3)) == 3
    with pytest.raises(InvalidPayload, match="omitted-unfit"):
        unfit.sync.trigger()


def test_a_payload_that_is_needed_is_asked_for(h: Harness) -> None:
    with pytest.raises(InvalidPayload, match=r"no payload was given.*order"):
        order.sync.trigger()
    with pytest.raises(InvalidPayload, match=r"no payload was given.*omitted-order"):
        Detent().tasks.trigger("omitted-order")
    with pytest.raises(InvalidPayload, match="omitted-order"):
        tasks.sync.trigger("omitted-order", {})
