"""Branches of a run that is taken off its worker unwind in silence."""

from __future__ import annotations

import asyncio
import gc

import pytest

from detent import task, wait
from detent.testing import harness


@task(id="unwinds")
async def unwinds() -> str:
    async def branch(hours: int) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(wait.for_(hours=hours))
            group.create_task(wait.for_(hours=hours + 1))

    for one in asyncio.as_completed([branch(1), branch(3)]):
        await one
    return "done"


def test_a_run_that_is_replayed_leaves_no_complaints_of_its_former_branches(caplog: pytest.LogCaptureFixture) -> None:
    with harness([unwinds], replay="always") as h:
        assert h.output(unwinds.sync.trigger()) == "done"
        gc.collect()
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []


@task(id="leaves-an-error")
async def leaves_an_error() -> None:
    async def broken() -> None:
        raise ValueError("of a branch")

    made = asyncio.create_task(broken())
    await asyncio.sleep(0)
    del made


def test_an_error_of_the_users_own_that_nobody_awaits_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with harness([leaves_an_error]) as h:
        h.output(leaves_an_error.sync.trigger())
        gc.collect()
    assert any("of a branch" in str(record.exc_info) for record in caplog.records if record.name == "asyncio")
