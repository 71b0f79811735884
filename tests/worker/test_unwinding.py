"""Code that is thrown out of a wait, since its run leaves memory: what it may do, and what it is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from detent import step, task, wait
from detent.testing import Harness, harness

seen: list[str] = []


@pytest.fixture(autouse=True)
def fresh() -> None:
    seen.clear()


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness(replay="always") as made:
        yield made


def note(text: str) -> None:
    seen.append(text)


@task(id="swallows-and-ends")
async def swallows_and_ends() -> str:
    try:
        await wait.for_(hours=1)
    except BaseException:
        seen.append("swallowed")
    return "done"


@task(id="swallows-and-goes-on")
async def swallows_and_goes_on() -> str:
    try:
        await wait.for_(hours=1)
    except:  # noqa: E722  # what users write
        seen.append("swallowed")
    await step("note", note, "step")
    return "done"


@task(id="swallows-when-unwound")
def swallows_plain() -> str:
    try:
        wait.sync.for_(hours=1)
    except BaseException:
        seen.append("swallowed")
    step.sync("note", note, "step")
    return "done"


@task(id="cleans-up")
async def cleans_up() -> str:
    try:
        await wait.for_(hours=1)
    finally:
        seen.append("finally")
        await step("note", note, "step")
    return "done"


@task(id="cleans-up-in-a-group")
async def cleans_up_in_a_group() -> str:
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait.for_(hours=1))
            group.create_task(wait.for_(hours=2))
    finally:
        seen.append("finally")
    return "done"


@task(id="catches-exceptions")
async def catches_exceptions() -> str:
    try:
        await wait.for_(hours=1)
    except Exception:
        seen.append("never")
    return "done"


@pytest.mark.parametrize("made", [swallows_and_ends, swallows_and_goes_on, swallows_plain], ids=lambda made: made.id)
def test_code_that_swallows_the_signal_is_named_and_does_nothing_that_counts(
    h: Harness, made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    run = made.sync.trigger()
    assert h.output(run) == "done"
    assert seen[:1] == ["swallowed"]
    assert seen.count("step") == (made is not swallows_and_ends)
    named = [record.message for record in caplog.records if "caught the signal" in record.message]
    assert len(named) == 1
    assert made.id in named[0]
    assert run.id in named[0]


@pytest.mark.parametrize("made", [cleans_up, cleans_up_in_a_group, catches_exceptions], ids=lambda made: made.id)
def test_code_that_lets_the_signal_pass_is_accused_of_nothing(
    h: Harness, made: Any, caplog: pytest.LogCaptureFixture
) -> None:
    assert h.output(made.sync.trigger()) == "done"
    assert seen.count("step") == (made is cleans_up)
    assert "never" not in seen
    assert [record.message for record in caplog.records if "caught the signal" in record.message] == []
