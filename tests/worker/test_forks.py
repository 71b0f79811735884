"""A run that is forked does again only what comes after the fork."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from detent import Retry, step, task, wait
from detent.client import Detent
from detent.testing import Harness, harness


@pytest.fixture
def h() -> Iterator[Harness]:
    done.clear()
    broken.clear()
    with harness() as made:
        yield made


done: list[str] = []
broken: set[str] = set()


def do(name: str) -> str:
    done.append(name)
    if name in broken:
        raise ValueError(f"{name} is broken")
    return name


@task(id="fork-child")
async def child(name: str) -> str:
    return do(name)


@task(id="fork-order", retry=Retry(max_attempts=1))
async def order(number: int) -> list[str]:
    told = [await step("fetch", do, "fetch")]
    told.append(await child.trigger_and_wait("child").unwrap())
    await wait.for_(hours=1)
    told.append(await step("charge", do, "charge"))
    told.append(await step("mail", do, "mail"))
    return told


@task(id="fork-branches", retry=Retry(max_attempts=1))
async def branches(_: None) -> list[str]:
    async def branch(name: str) -> str:
        first = await child.trigger_and_wait(name).unwrap()
        return first + await step("after", do, f"after-{name}")

    both = await asyncio.gather(branch("left"), branch("right"))
    return [*both, await step("last", do, "last")]


def test_what_was_done_before_the_fork_is_not_done_again(h: Harness) -> None:
    """Given a run that failed at its second to last step, when it is forked there, then the steps, the child and the
    hour before it are kept, and it goes on with the step."""
    broken.add("charge")
    first = order.sync.trigger(1)
    h.drain()
    assert h.run(first).status == "FAILED"
    assert done == ["fetch", "child", "charge"]
    client = Detent(h.transport)
    entries = client.runs.journal(first.id)
    assert [(entry.kind, entry.key, entry.status) for entry in entries] == [
        ("step", "fetch#1", "ok"),
        ("trigger", "trigger#1", "ok"),
        ("time", entries[2].key, "ok"),
        ("step", "charge#1", "error"),
    ]
    broken.clear()
    second = client.runs.fork(first.id, "charge#1")
    h.drain()
    assert h.output(second.id) == ["fetch", "child", "charge", "mail"]
    assert done == ["fetch", "child", "charge", "charge", "mail"]
    assert [entry.key for entry in client.runs.journal(second.id)][-2:] == ["charge#1", "mail#1"]
    assert h.run(second.id).children == []


def test_a_fork_of_a_fork_and_one_of_a_completed_run_go_the_same_way(h: Harness) -> None:
    first = order.sync.trigger(1)
    h.drain()
    client = Detent(h.transport)
    whole = client.runs.fork(first.id)
    h.drain()
    again = client.runs.fork(whole.id, "mail#1")
    h.drain()
    assert h.output(whole.id) == h.output(again.id) == h.output(first)
    assert done == ["fetch", "child", "charge", "mail", "mail"]
    assert h.run(again.id).replay_of == whole.id


def test_branches_are_kept_as_they_were(h: Harness) -> None:
    broken.add("last")
    first = branches.sync.trigger(None)
    h.drain()
    assert h.run(first).status == "FAILED"
    broken.clear()
    done.clear()
    second = Detent(h.transport).runs.fork(first.id, "last#1")
    h.drain()
    assert h.output(second.id) == ["leftafter-left", "rightafter-right", "last"]
    assert done == ["last"]


def test_a_fork_of_a_run_that_waits_for_a_child_waits_for_the_same_child(h: Harness) -> None:
    """Given a run that waits for its delayed child, when it is forked, then both get the result of the one child."""
    first = waits_for_delayed.sync.trigger(None)
    h.drain(advance=False)
    assert h.run(first).status == "WAITING"
    second = Detent(h.transport).runs.fork(first.id)
    h.drain()
    assert h.output(first) == h.output(second.id) == "late"
    assert done == ["late"]


@task(id="fork-waits")
async def waits_for_delayed(_: None) -> str:
    return await child.trigger_and_wait("late", delay="1h").unwrap()
