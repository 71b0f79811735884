"""Runs through the real machinery, in process: what task authors can say, and what comes of it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TypedDict

import pytest
from pydantic import BaseModel

from detent import AbortTaskRunError, Context, Retry, batch, idempotency_keys, queue, schema_task, task, tasks
from detent.errors import InvalidOptions, InvalidPayload, LimitExceeded, NotInRun, TaskNotFound
from detent.testing import Harness, harness


class Order(BaseModel):
    item: str
    count: int = 1


class Bill(BaseModel):
    total: float


@dataclass
class Point:
    x: int
    y: int


class Options(TypedDict):
    loud: bool


@task(id="price")
async def price(order: Order) -> Bill:
    return Bill(total=order.count * 2.5)


@task(id="price-plain")
def price_plain(order: Order) -> Bill:
    return Bill(total=order.count * 2.5)


@task(id="norm")
def norm(point: Point) -> float:
    return float((point.x**2 + point.y**2) ** 0.5)


@task(id="loudness")
async def loudness(options: Options) -> str:
    return "LOUD" if options["loud"] else "quiet"


@task(id="either")
async def either(value: int | str) -> str:
    return type(value).__name__


@task(id="nothing")
async def nothing() -> None:
    return None


@task(id="facts")
async def facts(_: None, ctx: Context) -> dict[str, object]:
    return {
        "task": ctx.task.id,
        "queue": ctx.queue.name,
        "attempt": ctx.attempt.number,
        "tags": ctx.run.tags,
        "max_attempts": ctx.run.max_attempts,
        "priority": ctx.run.priority,
        "environment": ctx.environment,
    }


@schema_task(id="explicit", schema=list[int])
async def explicit(numbers) -> int:  # type: ignore[no-untyped-def]  # the schema says what comes
    return sum(numbers)


@task(id="family")
async def family(n: int) -> list[float]:
    bills = await price.batch_trigger_and_wait([Order(item="a", count=i) for i in range(n)]).unwrap()
    return [bill.total for bill in bills]


@task(id="family-plain")
def family_plain(n: int) -> list[float]:
    results = price_plain.sync.batch_trigger_and_wait([Order(item="a", count=i) for i in range(n)])
    return [result.unwrap().total for result in results]


@pytest.fixture
def h() -> object:
    with harness() as made:
        yield made


@pytest.mark.parametrize(
    ("made", "payload", "output"),
    [
        (price, Order(item="a", count=2), {"total": 5.0}),
        (price, {"item": "a"}, {"total": 2.5}),
        (price_plain, Order(item="a", count=4), {"total": 10.0}),
        (norm, Point(3, 4), 5.0),
        (norm, {"x": 6, "y": 8}, 10.0),
        (loudness, {"loud": True}, "LOUD"),
        (either, 3, "int"),
        (either, "3", "str"),
        (explicit, [1, 2, 3], 6),
    ],
)
def test_payloads_of_many_types_arrive_typed_and_outputs_come_back(h: Harness, made, payload, output) -> None:
    assert h.output(made.sync.trigger(payload)) == output


def test_a_task_without_payload_is_triggered_without_one(h: Harness) -> None:
    assert h.output(nothing.sync.trigger()) is None


def test_a_wrong_payload_is_refused_when_triggered_with_field_value_and_expectation(h: Harness) -> None:
    with pytest.raises(InvalidPayload, match=r"count.*'many'"):
        price.sync.trigger({"item": "a", "count": "many"})
    with pytest.raises(InvalidPayload, match="count"):
        tasks.sync.trigger("price", {"item": "a", "count": "many"})


def test_options_reach_the_context(h: Harness) -> None:
    handle = facts.sync.trigger(None, tags=["a", "b"], max_attempts=7, priority=5)
    assert h.output(handle) == {
        "task": "facts",
        "queue": "task/facts",
        "attempt": 1,
        "tags": ["a", "b"],
        "max_attempts": 7,
        "priority": 5,
        "environment": "dev",
    }


def test_an_unknown_task_names_its_neighbours(h: Harness) -> None:
    with pytest.raises(TaskNotFound, match="'price'"):
        tasks.sync.trigger("prise", {})


@pytest.mark.parametrize(
    "options",
    [
        {"tags": [str(n) for n in range(11)]},
        {"tags": ["x" * 129]},
        {"max_attempts": 0},
        {"max_attempts": 251},
        {"delay": "soon"},
        {"ttl": -1},
        {"metadata": [1]},
        {"idempotency_key": ""},
        {"idempotency_key": "x" * 2049},
        {"queue": 3},
        {"queue": "no-such-queue"},
        {"max_duration": 0.1},
        {"dealy": "10m"},
    ],
)
def test_an_option_out_of_its_limits_is_refused_by_name(h: Harness, options) -> None:
    with pytest.raises(InvalidOptions, match=next(iter(options)).replace("tags", "tag")):
        nothing.sync.trigger(**options)


def test_a_payload_of_3_mib_is_accepted_and_one_byte_more_is_refused(h: Harness) -> None:
    limit = 3 * 1024 * 1024
    handle = tasks.sync.trigger("either", "x" * (limit - 2))
    assert h.output(handle) == "str"
    assert h.store.read("find_run", id=handle.id)[0]["payload_ref"] is not None
    with pytest.raises(LimitExceeded, match="3 MiB"):
        tasks.sync.trigger("either", "x" * (limit - 1))


def test_waiting_for_children_gives_their_results_in_order(h: Harness) -> None:
    expected = [2.5 * i for i in range(20)]
    assert h.output(family.sync.trigger(20)) == expected
    assert h.output(family_plain.sync.trigger(20)) == expected


def test_waiting_outside_a_run_is_refused(h: Harness) -> None:
    with pytest.raises(NotInRun, match="inside a running task"):
        price.sync.trigger_and_wait({"item": "a"})


narrow = queue("narrow", concurrency_limit=1)


@task(id="inner", queue=narrow)
async def inner(n: int) -> int:
    return n + 1


@task(id="outer", queue=narrow)
async def outer(n: int) -> int:
    return await inner.trigger_and_wait(n).unwrap()


@task(id="inner-plain", queue=narrow)
def inner_plain(n: int) -> int:
    return n + 1


@task(id="outer-plain", queue=narrow)
def outer_plain(n: int) -> int:
    return inner_plain.sync.trigger_and_wait(n).unwrap()


@task(id="deep", queue=narrow)
async def deep(n: int) -> int:
    return 0 if n == 0 else 1 + await deep.trigger_and_wait(n - 1).unwrap()


def test_parent_and_child_share_a_queue_of_limit_one(h: Harness) -> None:
    assert h.output(outer.sync.trigger(1)) == 2
    assert h.output(outer_plain.sync.trigger(1)) == 2


def test_recursion_of_depth_fifty_on_a_queue_of_limit_one_completes(h: Harness) -> None:
    assert h.output(deep.sync.trigger(50)) == 50


def test_more_waiting_plain_parents_than_threads_do_not_deadlock() -> None:
    with harness(threads=2) as h:
        handles = [outer_plain.sync.trigger(n) for n in range(20)]
        assert [h.output(handle) for handle in handles] == [n + 1 for n in range(20)]


@task(id="branches")
async def branches(n: int) -> list[int]:
    gathered = await asyncio.gather(*(inner.trigger_and_wait(i).unwrap() for i in range(n)))
    async with asyncio.TaskGroup() as group:
        one = group.create_task(inner.trigger_and_wait(100).unwrap())
        two = group.create_task(outer.trigger_and_wait(200).unwrap())
    return [*gathered, one.result(), two.result()]


def test_parallel_waits_in_one_run_work(h: Harness) -> None:
    assert h.output(branches.sync.trigger(5)) == [1, 2, 3, 4, 5, 101, 201]


def test_a_batch_may_hold_runs_of_different_tasks(h: Harness) -> None:
    made = batch.sync.trigger(
        [inner.item(1), tasks.item("either", "x"), {"id": "price", "payload": {"item": "a"}}], tags=["t"]
    )
    assert [h.output(run) for run in made.runs] == [2, "str", {"total": 2.5}]
    assert {h.run(run).batch_id for run in made.runs} == {made.id}


def test_a_batch_of_1001_items_is_refused_and_one_bad_item_refuses_all(h: Harness) -> None:
    with pytest.raises(LimitExceeded, match="1,000"):
        inner.sync.batch_trigger(list(range(1001)))
    with pytest.raises(InvalidPayload):
        inner.sync.batch_trigger([1, 2, "three"])  # type: ignore[list-item]  # on purpose
    assert h.store.read("count_states", env="dev") == []


failing_once: dict[str, int] = {}


@task(id="brittle", retry=Retry(max_attempts=3, min_timeout=10, max_timeout=100, randomize=False))
async def brittle(name: str, ctx: Context) -> int:
    failing_once[name] = failing_once.get(name, 0) + 1
    if ctx.attempt.number < 3:
        raise ValueError(f"attempt {ctx.attempt.number} of {name}")
    return ctx.attempt.number


def test_retries_come_after_growing_pauses_on_the_virtual_clock(h: Harness) -> None:
    handle = brittle.sync.trigger("growing")
    start = h.clock.now()
    assert h.output(handle) == 3
    assert h.clock.now() - start == 30_000
    attempts = h.run(handle).attempts
    assert [a.number for a in attempts] == [1, 2, 3]
    assert "attempt 1 of growing" in str(attempts[0].error)


def test_a_backoff_holds_no_slot_and_no_thread(h: Harness) -> None:
    handle = brittle.sync.trigger("slotless")
    h.drain(advance=False)
    assert h.run(handle).status == "DELAYED"
    assert h.output(handle) == 3


def test_an_idempotency_key_outside_a_run_is_global_and_failed_runs_release_it(h: Harness) -> None:
    first = nothing.sync.trigger(idempotency_key="k")
    assert nothing.sync.trigger(idempotency_key="k").id == first.id
    h.drain()
    again = nothing.sync.trigger(idempotency_key=idempotency_keys.create("k", scope="global"))
    assert (again.id, again.cached) == (first.id, True)

    failed = aborting.sync.trigger(idempotency_key="f")
    h.drain()
    assert aborting.sync.trigger(idempotency_key="f").id != failed.id


@task(id="aborting")
async def aborting() -> None:
    raise AbortTaskRunError("no use")


def test_abort_makes_no_further_attempt(h: Harness) -> None:
    handle = aborting.sync.trigger()
    h.drain()
    ended = h.run(handle)
    assert (ended.status, len(ended.attempts)) == ("FAILED", 1)
    assert "no use" in str(ended.error)


@task(id="starter")
async def starter(key: str) -> str:
    return (await inner.trigger(1, idempotency_key=key)).id


def test_inside_a_run_a_key_belongs_to_that_run(h: Harness) -> None:
    one, two = starter.sync.trigger("same"), starter.sync.trigger("same")
    assert h.output(one) != h.output(two)


def test_delay_and_ttl_pass_on_the_virtual_clock(h: Harness) -> None:
    late = nothing.sync.trigger(delay="10m", ttl="1m")
    h.advance("9m")
    assert h.run(late).status == "DELAYED"
    h.advance("2m")
    assert h.run(late).status == "COMPLETED"
