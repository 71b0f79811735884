"""Runs that end in every way that Python has, and what is kept of it."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from detent import AbortTaskRunError, Retry, task
from detent.testing import Harness, harness

once = Retry(max_attempts=1)


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness() as made:
        yield made


class Unprintable(Exception):
    def __str__(self) -> str:
        raise KeyboardInterrupt("while shown")


def recursion() -> None:
    recursion()


def group() -> None:
    raise ExceptionGroup("several", [ValueError("one"), KeyError("two")])


def raising(kind: type[BaseException], *arguments: object) -> Callable[[], None]:
    def act() -> None:
        raise kind(*arguments)

    return act


odd: dict[str, Callable[[], Any]] = {
    "plain": raising(ValueError, "broken"),
    "unprintable": raising(Unprintable),
    "group": group,
    "recursion": recursion,
    "exit": lambda: sys.exit(3),
    "interrupt": raising(KeyboardInterrupt),
    "cancelled": raising(asyncio.CancelledError, "by itself"),
    "generator": raising(GeneratorExit),
    "surrogate": raising(ValueError, "file \ud800 name"),
}
kinds = {
    "plain": "ValueError",
    "unprintable": "Unprintable",
    "group": "ExceptionGroup",
    "recursion": "RecursionError",
    "exit": "SystemExit",
    "interrupt": "KeyboardInterrupt",
    "cancelled": "CancelledError",
    "generator": "GeneratorExit",
    "surrogate": "ValueError",
}


@task(id="odd", retry=once)
async def odd_end(name: str) -> Any:
    return odd[name]()


@task(id="odd-plain", retry=once)
def odd_end_plain(name: str) -> Any:
    return odd[name]()


@task(id="fine")
async def fine(n: int) -> int:
    return n


@pytest.mark.parametrize("made", [odd_end, odd_end_plain])
@pytest.mark.parametrize("name", sorted(kinds))
def test_whatever_a_task_raises_is_a_failed_run_with_its_type_and_the_worker_goes_on(h: Harness, made, name) -> None:
    handle = made.sync.trigger(name)
    h.drain()
    ended = h.run(handle)
    assert (ended.status, ended.error.type) == ("FAILED", kinds[name])
    assert h.output(fine.sync.trigger(1)) == 1


def test_the_kept_traceback_begins_in_the_users_code(h: Harness) -> None:
    handle = odd_end.sync.trigger("plain")
    h.drain()
    text = h.run(handle).error.traceback
    assert "detent/worker" not in text
    assert "test_odd_endings" in text


unwritable: dict[str, Any] = {
    "object": lambda: {"a": [object()]},
    "nan": lambda: float("nan"),
    "lock": threading.Lock,
    "surrogate": lambda: "\udcff",
}


@task(id="unwritable", retry=Retry(max_attempts=5))
async def returns_odd(name: str) -> Any:
    return unwritable[name]()


@pytest.mark.parametrize("name", sorted(unwritable))
def test_an_output_that_is_not_json_fails_the_run_at_once_and_says_where(h: Harness, name) -> None:
    handle = returns_odd.sync.trigger(name)
    h.drain()
    ended = h.run(handle)
    assert (ended.status, len(ended.attempts), ended.error.type) == ("FAILED", 1, "Unserializable")
    assert ended.error.code == "unserializable"
    assert "output" in ended.error.message


@task(id="exits-inside", retry=once)
async def exits_inside() -> str:
    async def child() -> None:
        sys.exit(7)

    await asyncio.gather(child(), asyncio.sleep(0))
    return "unreached"


entered = threading.Event()
go_on = threading.Event()


@task(id="neighbour")
async def neighbour() -> str:
    entered.set()
    await asyncio.to_thread(go_on.wait)
    return "unharmed"


def test_sys_exit_in_a_child_asyncio_task_ends_its_run_and_no_other(h: Harness) -> None:
    entered.clear()
    go_on.clear()
    other = neighbour.sync.trigger()
    assert entered.wait(10)
    handle = exits_inside.sync.trigger()
    try:
        with pytest.raises(TimeoutError):
            h.drain(timeout=0.5)
        ended = h.run(handle)
        assert (ended.status, ended.error.type) == ("FAILED", "SystemExit")
    finally:
        go_on.set()
    assert h.output(other) == "unharmed"


@task(id="aborts-inside", retry=Retry(max_attempts=3))
async def aborts_inside() -> None:
    async def child() -> None:
        raise AbortTaskRunError("enough")

    async with asyncio.TaskGroup() as group:
        group.create_task(child())


def test_an_abort_inside_a_task_group_aborts_too(h: Harness) -> None:
    handle = aborts_inside.sync.trigger()
    h.drain()
    assert (h.run(handle).status, len(h.run(handle).attempts)) == ("FAILED", 1)


@task(id="much", retry=Retry(max_attempts=2))
async def much(size: int) -> str:
    return "ü" * (size // 2 - 1)


@task(id="much-plain")
def much_plain(size: int) -> str:
    return "x" * (size - 2)


@task(id="reads-much")
async def reads_much(size: int) -> list[int]:
    one, two = await asyncio.gather(much.trigger_and_wait(size).unwrap(), much_plain.trigger_and_wait(size).unwrap())
    return [len(one), len(two)]


@task(id="reads-much-plain")
def reads_much_plain(size: int) -> int:
    return len(much_plain.sync.trigger_and_wait(size).unwrap())


def test_an_output_over_128_kib_goes_to_the_object_store_and_comes_back_to_a_waiting_parent(h: Harness) -> None:
    size = 200_000
    handle = much_plain.sync.trigger(size)
    assert len(h.output(handle)) == size - 2
    row = h.store.read("find_run", id=handle.id)[0]
    assert row["output"] is None
    assert row["output_ref"].startswith(f"outputs/{handle.id}.")
    assert h.output(reads_much.sync.trigger(size)) == [size // 2 - 1, size - 2]
    assert h.output(reads_much_plain.sync.trigger(size)) == size - 2


def test_an_output_of_10_mib_is_taken_and_one_byte_more_fails_the_run_with_the_limit(h: Harness) -> None:
    limit = 10 * 1024 * 1024
    assert len(h.output(much_plain.sync.trigger(limit))) == limit - 2
    handle = much.sync.trigger(limit + 2)
    h.drain()
    ended = h.run(handle)
    assert (ended.status, ended.error.type, len(ended.attempts)) == ("FAILED", "LimitExceeded", 1)
    assert "10 MiB" in ended.error.message


@task(id="measures")
async def measures(text: str) -> int:
    return len(text)


@task(id="gives-much")
async def gives_much(size: int) -> int:
    return await measures.trigger_and_wait("x" * size).unwrap()


@task(id="gives-much-plain")
def gives_much_plain(size: int) -> int:
    return measures.sync.trigger_and_wait("x" * size).unwrap()


@pytest.mark.parametrize("made", [gives_much, gives_much_plain])
def test_a_large_payload_of_a_child_goes_by_the_object_store(h: Harness, made) -> None:
    handle = made.sync.trigger(300_000)
    assert h.output(handle) == 300_000
    child = h.run(handle).children[0].id
    assert h.store.read("find_run", id=child)[0]["payload"] is None
