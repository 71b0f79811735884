"""Code that does not fit the journal of its run: the run is paused, and both ways are named."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from tests.worker.elsewhere import go_elsewhere, parked

from detent import Context, Retry, step, task, wait
from detent.client import Detent
from detent.sync import step as step_sync
from detent.sync import wait as wait_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
calls: list[str] = []
after: list[str] = []
#: Which version of the code workers have.
version = ["old"]


@pytest.fixture
def h() -> Iterator[Harness]:
    calls.clear()
    after.clear()
    version[0] = "old"
    with harness() as made:
        yield made


async def do(name: str) -> str:
    return await step(name, lambda: calls.append(name) or name)


async def rest() -> None:
    await wait.for_(hours=1)


async def old() -> None:
    await do("a")
    await do("b")
    await rest()


async def added() -> None:
    await do("a")
    await do("new")
    await do("b")
    await rest()


async def removed() -> None:
    await do("b")
    await rest()


async def reordered() -> None:
    await do("b")
    await do("a")
    await rest()


async def renamed() -> None:
    await do("a")
    await do("B")
    await rest()


async def other_wait() -> None:
    await do("a")
    await do("b")
    await wait.for_token(await wait.create_token())


async def shorter() -> None:
    await do("a")


async def swallowing() -> None:
    try:
        await do("other")
    except BaseException:
        calls.append("swallowed")
    await do("a")
    await do("b")
    await rest()


async def wait_for_step() -> None:
    await do("a")
    await wait.for_(hours=2)
    await do("b")


VERSIONS: dict[str, Callable[[], Awaitable[None]]] = {
    version.__name__: version
    for version in (old, added, removed, reordered, renamed, other_wait, shorter, swallowing, wait_for_step)
}


@task(id="m-versioned", retry=once)
async def versioned(ctx: Context) -> str:
    await VERSIONS[version[0]]()
    after.append(version[0])
    return "done"


def paused(h: Harness, handle: Any) -> dict[str, Any]:
    [row] = h.store.read("find_run", id=handle.id)
    assert row["paused"] is not None, f"{row['state']}"
    found: dict[str, Any] = json.loads(row["paused"])
    assert h.run(handle).status == "WAITING"
    return found


@pytest.mark.parametrize(
    ("new", "key", "expected", "received"),
    [
        ("added", "b#1", "step 'b'", "step 'new'"),
        ("removed", "a#1", "step 'a'", "step 'b'"),
        ("reordered", "a#1", "step 'a'", "step 'b'"),
        ("renamed", "b#1", "step 'b'", "step 'B'"),
        ("other_wait", "wait#1", "time", "create_token"),
        ("shorter", "b#1", "step 'b'", "the end of the task"),
        ("swallowing", "a#1", "step 'a'", "step 'other'"),
        ("wait_for_step", "b#1", "step 'b'", "time"),
    ],
)
def test_new_code_that_goes_another_way_pauses_its_run_and_does_nothing(
    h: Harness, new: str, key: str, expected: str, received: str
) -> None:
    handle = versioned.sync.trigger()
    parked(h, handle)
    version[0] = new
    go_elsewhere(h)
    h.drain()
    found = paused(h, handle)
    assert (found["reason"], found["key"], found["expected"], found["received"]) == (
        "journal_mismatch",
        key,
        expected,
        received,
    )
    assert found["actions"] == ["resume", "fork", "cancel"]
    assert [call for call in calls if call != "swallowed"] == ["a", "b"]


def test_a_paused_run_goes_on_with_the_old_code_and_may_be_cancelled(h: Harness) -> None:
    handles = [versioned.sync.trigger() for _ in range(2)]
    for handle in handles:
        parked(h, handle)
    version[0] = "renamed"
    go_elsewhere(h)
    h.drain()
    for handle in handles:
        paused(h, handle)
    version[0] = "old"
    client = Detent(h.transport)
    client.runs.resume(handles[0].id)
    client.runs.cancel(handles[1].id)
    h.drain()
    assert [h.run(handle).status for handle in handles] == ["COMPLETED", "CANCELED"]
    assert sorted(calls) == ["a", "a", "b", "b"]


@task(id="m-loop", retry=once)
async def loop(ctx: Context) -> int:
    n = 5 if version[0] == "old" else 3
    for i in range(n):
        await do(f"part {i}")
    await rest()
    return n


@task(id="m-loop-plain", retry=once)
def loop_plain(ctx: Context) -> int:
    n = 5 if version[0] == "old" else 3
    for i in range(n):
        step_sync(f"part {i}", lambda i=i: calls.append(f"part {i}"))
    wait_sync.for_(hours=1)
    return n


@pytest.mark.parametrize("made", [loop, loop_plain])
def test_a_loop_that_became_shorter_is_seen(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    version[0] = "new"
    go_elsewhere(h)
    h.drain()
    assert paused(h, handle)["expected"] == "step 'part 3'"
    assert paused(h, handle)["received"] == "time"


@task(id="m-branch", retry=once)
async def branch(ctx: Context) -> list[str]:
    async def left() -> str:
        return await do("left" if version[0] != "renamed" else "LEFT")

    async def right() -> str:
        await rest()
        return await do("right")

    return list(await asyncio.gather(left(), right()))


def test_a_branch_that_goes_another_way_pauses_the_whole_run(h: Harness) -> None:
    handle = branch.sync.trigger()
    parked(h, handle)
    version[0] = "renamed"
    go_elsewhere(h)
    h.drain()
    found = paused(h, handle)
    assert (found["expected"], found["received"]) == ("step 'left'", "step 'LEFT'")
    assert found["key"].endswith("/left#1")
    assert calls == ["left"]


@task(id="m-finally", retry=once)
async def in_finally(ctx: Context) -> str:
    try:
        await do("first" if version[0] == "old" else "FIRST")
        await rest()
    finally:
        await do("clean up")
    return "done"


def test_a_run_that_is_paused_cannot_do_more_in_its_finally(h: Harness) -> None:
    handle = in_finally.sync.trigger()
    parked(h, handle)
    version[0] = "new"
    go_elsewhere(h)
    h.drain()
    assert paused(h, handle)["received"] == "step 'FIRST'"
    assert calls == ["first"]
