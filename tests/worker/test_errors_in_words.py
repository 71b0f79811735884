"""What is not possible is said in plain words, with what to do instead."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

import pytest

from detent import Context, Retry, step, task, wait
from detent.errors import DetentError, InsideStep, InvalidOptions, NotFound, NotInRun
from detent.sync import step as step_sync
from detent.sync import wait as wait_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
errors: list[DetentError] = []


@pytest.fixture
def h() -> Iterator[Harness]:
    errors.clear()
    with harness() as made:
        yield made


async def work() -> int:
    return 1


@task(id="e-child", retry=once)
async def child() -> None:
    return None


# Outside of runs.


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (lambda: wait.for_(hours=1), "wait.for_()"),
        (lambda: wait.until("2026-01-01T00:00:00Z"), "wait.until()"),
        (lambda: wait.for_token("waitpoint_1"), "wait.for_token()"),
        (lambda: step("a", str), "step('a')"),
        (lambda: child.trigger_and_wait(), "trigger_and_wait"),
        (lambda: wait_sync.for_(hours=1), "sync.wait.for_()"),
        (lambda: wait_sync.for_token("waitpoint_1"), "sync.wait.for_token()"),
        (lambda: step_sync("a", str), "step.sync('a')"),
        (lambda: child.sync.trigger_and_wait(), "trigger_and_wait"),
    ],
)
def test_what_needs_a_run_says_so_outside_of_one(h: Harness, call: Callable[[], Any], what: str) -> None:
    async def awaited() -> None:
        await call()

    with pytest.raises(NotInRun, match="inside a running task") as caught:
        made = call() if what.startswith(("sync", "step.sync")) else None
        assert made is None
        asyncio.run(awaited())
    assert what in str(caught.value)


# In a step.

INSIDE: dict[str, Callable[[], Any]] = {
    "wait.for_": lambda: wait.for_(hours=1),
    "wait.until": lambda: wait.until("2030-01-01T00:00:00Z"),
    "wait.for_token": lambda: wait.for_token("waitpoint_1"),
    "step": lambda: step("inner", work),
    "trigger": lambda: child.trigger_and_wait(),
}


@task(id="e-in-step", retry=once)
async def in_step(which: str, ctx: Context) -> None:
    async def inner() -> None:
        try:
            await INSIDE[which]()
        except DetentError as error:
            errors.append(error)

    await step("outer", inner)


@pytest.mark.parametrize("which", INSIDE)
def test_what_cannot_be_done_in_a_step_is_to_be_done_after_it(h: Harness, which: str) -> None:
    handle = in_step.sync.trigger(which)
    h.drain()
    assert h.run(handle).status == "COMPLETED", h.run(handle).error
    [error] = errors
    assert isinstance(error, InsideStep)
    assert "outer" in str(error)
    assert "after it" in str(error)


# In a run.


def naive() -> Any:
    return wait.until(datetime(2030, 1, 1))  # that is the point


WRONG: dict[str, tuple[Callable[[], Any], type[DetentError], list[str]]] = {
    "blocking wait": (lambda: wait_sync.for_(hours=1), NotInRun, ["block the event loop", "await wait.for_()"]),
    "blocking step": (lambda: step_sync("a", str), NotInRun, ["block the event loop", "await step('a', ...)"]),
    "async in step.sync": (lambda: step_sync("a", work), InvalidOptions, ["await step('a', ...)"]),
    "coroutine": (lambda: step("a", work()), InvalidOptions, ["coroutine", "leave the parentheses out"]),
    "call": (lambda: step("a", wait.for_(hours=1)), InvalidOptions, ["takes a function to call"]),
    "value": (lambda: step("a", 7), InvalidOptions, ["takes a function to call, got int"]),
    "no zone": (naive, InvalidOptions, ["no time zone"]),
    "length until": (lambda: wait.until("1h"), InvalidOptions, ["use wait.for_()"]),
    "negative": (lambda: wait.for_(hours=-1), InvalidOptions, ["hours", "0 or more"]),
    "not a number": (lambda: wait.for_(hours=float("nan")), InvalidOptions, ["out of range"]),
    "text": (lambda: wait.for_("soon"), InvalidOptions, ["'soon'", "1h30m"]),
    "both": (lambda: wait.for_("1h", minutes=1), InvalidOptions, ["not both"]),
    "word": (lambda: wait.for_(minutes="5"), InvalidOptions, ["minutes must be a number", "'5'"]),
    "unknown token": (
        lambda: wait.for_token("waitpoint_0000000000000000000000000000000a"),
        NotFound,
        ["no token", "wait.create_token()"],
    ),
    "no token": (lambda: wait.for_token(), InvalidOptions, ["got None", "wait.create_token()"]),
    "run for token": (lambda: wait.for_token("run_1"), InvalidOptions, ["begins with waitpoint_", "run_1"]),
    "tags": (lambda: wait.for_(hours=1, tags=[str(n) for n in range(11)]), InvalidOptions, ["at most 10 tags"]),
    "empty key": (lambda: wait.for_(hours=1, idempotency_key=""), InvalidOptions, ["must not be empty"]),
    "key outside a step": (lambda: step.idempotency_key(), NotInRun, ["only inside a step"]),
}


@task(id="e-wrong", retry=once)
async def wrong(which: str, ctx: Context) -> None:
    try:
        made = WRONG[which][0]()
        if inspect.isawaitable(made):
            await made
    except DetentError as error:
        errors.append(error)


@pytest.mark.parametrize("which", WRONG)
def test_a_mistake_is_named_with_what_to_write(h: Harness, which: str) -> None:
    handle = wrong.sync.trigger(which)
    h.drain()
    assert h.run(handle).status == "COMPLETED", h.run(handle).error
    [error] = errors
    _, kind, parts = WRONG[which]
    assert type(error) is kind, repr(error)
    for part in parts:
        assert part in str(error), str(error)
