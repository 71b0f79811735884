"""Metadata and tags that runs write about themselves, their parents and the first of all."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from detent import Retry, metadata, tags, task
from detent.errors import InvalidOptions, NotInRun, Unserializable
from detent.testing import Harness, harness

once = Retry(max_attempts=1)


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness() as made:
        yield made


@task(id="counted")
async def counted(n: int) -> None:
    metadata.parent.increment("done")
    metadata.parent.append("who", n)
    metadata.root.increment("total", 0.5)
    metadata.set("me", n)


@task(id="counted-plain")
def counted_plain(n: int) -> None:
    metadata.parent.decrement("done", -1)
    metadata.parent.append("who", n)
    metadata.root.increment("total", 0.5)


@task(id="middle")
async def middle(n: int) -> None:
    await counted.batch_trigger_and_wait(range(n)).unwrap()
    await counted_plain.batch_trigger_and_wait(range(n, 2 * n)).unwrap()


@task(id="top")
async def top(n: int) -> None:
    metadata.set("state", "begun")
    await middle.trigger_and_wait(n).unwrap()
    metadata.set("state", "done")


def test_increments_and_appends_of_twenty_children_at_once_all_arrive_at_parent_and_root(h: Harness) -> None:
    handle = top.sync.trigger(20)
    h.drain()
    first = h.run(handle)
    assert first.metadata == {"state": "done", "total": 20.0}
    told = h.run(first.children[0].id).metadata
    assert told["done"] == 40
    assert sorted(told["who"]) == list(range(40))


@task(id="changes")
def changes() -> list[Any]:
    metadata.set("a", {"deep": [1]})
    metadata.append("list", 1)
    metadata.append("list", 2)
    metadata.append("list", 1)
    metadata.remove("list", 1)
    metadata.increment("n", 5)
    metadata.decrement("n", 2)
    metadata.set("gone", True)
    metadata.delete("gone")
    view = [metadata.get("n"), metadata.get("none", "default"), metadata.current()]
    metadata.current()["n"] = 99
    return view


def test_the_run_sees_its_own_changes_at_once_and_the_store_sees_the_same(h: Harness) -> None:
    handle = changes.sync.trigger(metadata={"given": 1})
    expected = {"given": 1, "a": {"deep": [1]}, "list": [2], "n": 3}
    assert h.output(handle) == [3, "default", expected]
    assert h.run(handle).metadata == expected


@task(id="replaces")
async def replaces() -> None:
    metadata.set("old", 1)
    metadata.replace({"new": 2})


def test_replace_puts_one_in_the_place_of_all(h: Harness) -> None:
    handle = replaces.sync.trigger(metadata={"given": 1})
    h.drain()
    assert h.run(handle).metadata == {"new": 2}


wrong: dict[str, Callable[[], Any]] = {
    "key": lambda: metadata.set(5, 1),  # type: ignore[arg-type]  # on purpose, as are the others
    "number": lambda: metadata.increment("a", "x"),  # type: ignore[arg-type]
    "mapping": lambda: metadata.replace([1]),  # type: ignore[arg-type]
    "value": lambda: metadata.set("a", object()),
    "nan": lambda: metadata.increment("a", float("nan")),
    "tag": lambda: tags.add("x" * 129),
    "tags": lambda: tags.add(*map(str, range(11))),
}


@task(id="wrong-note", retry=once)
async def wrong_note(name: str) -> str:
    try:
        wrong[name]()
    except (InvalidOptions, Unserializable) as error:
        return type(error).__name__
    return "taken"


@pytest.mark.parametrize("name", sorted(wrong))
def test_what_cannot_be_kept_is_refused_where_it_is_written(h: Harness, name) -> None:
    handle = wrong_note.sync.trigger(name)
    assert h.output(handle) in {"InvalidOptions", "Unserializable"}
    assert h.run(handle).metadata == {}


@task(id="too-much")
async def too_much() -> None:
    metadata.set("small", 1)
    h_flush[0]()
    metadata.set("big", "x" * 300_000)


h_flush: list[Callable[[], None]] = []


def test_metadata_beyond_256_kib_is_dropped_and_the_run_is_told_in_its_log(h: Harness) -> None:
    h_flush[:] = [h.worker.flush_notes]
    handle = too_much.sync.trigger()
    h.drain()
    assert h.run(handle).metadata == {"small": 1}


@task(id="tagged", retry=once)
async def tagged() -> None:
    tags.add("b", "c")
    tags.add("c")
    tags.add(*[f"t{n}" for n in range(7)])
    tags.add("one too many")


def test_tags_add_up_to_ten_and_the_eleventh_is_refused(h: Harness) -> None:
    handle = tagged.sync.trigger(tags=["a"])
    h.drain()
    ended = h.run(handle)
    assert ended.tags == ["a", "b", "c", *[f"t{n}" for n in range(7)]]
    assert (ended.status, ended.error.type) == ("FAILED", "InvalidOptions")


def test_outside_of_a_run_there_is_nothing_to_write_to() -> None:
    with pytest.raises(NotInRun, match=r"metadata.set\(\)"):
        metadata.set("a", 1)
    with pytest.raises(NotInRun, match=r"tags.add\(\)"):
        tags.add("a")


def test_a_run_that_writes_nothing_is_known_to_execute_all_the_same() -> None:
    """Given an idle worker, when a run begins that says nothing, then its start is told soon and not with its end."""
    changed, go_on = threading.Event(), threading.Event()

    @task(id="quiet")
    def quiet() -> None:
        assert go_on.wait(30)

    with harness([quiet]) as other:
        other.engine.listeners.append(changed.set)
        handle = quiet.sync.trigger()
        ends = time.monotonic() + 20
        while other.store.read("find_run", id=handle.id)[0]["started_at"] is None and time.monotonic() < ends:
            changed.wait(0.1)
            changed.clear()
        row = other.store.read("find_run", id=handle.id)[0]
        go_on.set()
        other.drain()
    assert row["state"] == "EXECUTING"
    assert row["started_at"] is not None
