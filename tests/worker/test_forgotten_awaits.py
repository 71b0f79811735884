"""Calls that a run made and did not await."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from detent import step, task, wait
from detent.testing import Harness, harness


@task(id="not-forgotten")
async def child(n: int) -> int:
    return n


@task(id="forgetful")
async def forgetful() -> None:
    wait.for_(hours=1)
    child.trigger(1)
    child.trigger_and_wait(1).unwrap()
    for _ in range(3):
        step("count", len, "abc")
    wait.create_token()


@task(id="careful")
async def careful() -> int:
    later = child.trigger_and_wait(1).unwrap()
    first, second = await asyncio.gather(child.trigger_and_wait(2).unwrap(), step("count", len, "abc"))
    return first + second + await later


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness() as made:
        yield made


def test_each_call_that_was_never_awaited_is_told_once_with_its_line(h: Harness) -> None:
    forgot = forgetful.sync.trigger()
    h.drain()
    said = [(line.level, line.message) for line in h.logs(forgot)]
    first = forgetful.fn.__code__.co_firstlineno
    expected = {
        "wait.for_()": 2,
        "not-forgotten.trigger()": 3,
        "not-forgotten.trigger_and_wait().unwrap()": 4,
        "step('count')": 6,
        "wait.create_token()": 7,
    }
    assert [level for level, _ in said] == ["warn"] * 5
    for (_, message), (what, line) in zip(said, expected.items(), strict=True):
        assert message == (
            f"{what} at test_forgotten_awaits.py:{first + line} was never awaited, so it did nothing; "
            "write `await` before it"
        )


def test_what_is_awaited_later_or_by_others_is_not_told(h: Harness) -> None:
    run = careful.sync.trigger()
    assert h.output(run) == 6
    assert h.logs(run) == []
