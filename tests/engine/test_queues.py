"""Queues while work flows: another limit for a time, and which keys have the most runs."""

from __future__ import annotations

from typing import Any

import pytest
from tests.engine.bench import Bench, new

from detent.engine.operations import Operations
from detent.errors import InvalidOptions, NotFound
from detent.model.manifest import QueueSpec


@pytest.fixture
def ask(bench: Bench) -> Any:
    return Operations(bench.engine).call


def test_a_raised_limit_rings_workers_at_once_and_survives_their_hello(bench: Bench, ask: Any) -> None:
    # Given a queue whose limit is reached
    worker = bench.worker("work@q", queues=[QueueSpec("q", 1)])
    bench.trigger_all([new() for _ in range(4)])
    assert len(worker.claim(5)) == 1
    worker.rung()

    # When
    shown = ask("queues.override", id="q", limit=3)

    # Then
    assert (shown["limit"], shown["declared_limit"], shown["running"], shown["queued"]) == (3, 1, 1, 3)
    assert shown["overridden_at"] is not None
    assert worker.rung()
    assert len(worker.claim(5)) == 2
    # And a worker that declares another limit changes what is declared, not what holds
    bench.worker("work@q", queues=[QueueSpec("q", 2)])
    shown = ask("queues.retrieve", id="q")
    assert (shown["limit"], shown["declared_limit"]) == (3, 2)
    # Until it is reset
    shown = ask("queues.reset", id="q")
    assert (shown["limit"], shown["declared_limit"], shown["overridden_at"]) == (2, 2, None)


def test_an_override_with_a_time_ends_by_itself(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 5)])
    shown = ask("queues.override", id="q", limit=1, ttl="10m")
    assert shown["override_until"] == "2027-01-15T08:10:00.000Z"
    assert bench.engine.next_due() == bench.clock.now() + 600_000
    bench.trigger_all([new() for _ in range(3)])
    assert len(worker.claim(5)) == 1
    worker.rung()

    bench.pass_time(600)

    assert worker.rung()
    assert len(worker.claim(5)) == 2
    assert ask("queues.retrieve", id="q")["overridden_at"] is None
    assert bench.engine.next_due() is None


@pytest.mark.parametrize("limit", [0, -1, True, 100_001, "many"])
def test_a_limit_that_lets_nothing_start_is_refused_and_pause_is_named(bench: Bench, ask: Any, limit: Any) -> None:
    bench.worker("work@q")
    with pytest.raises(InvalidOptions, match="pause"):
        ask("queues.override", id="q", limit=limit)


def test_a_queue_without_a_limit_of_its_own_is_paused_limited_and_reset(bench: Bench, ask: Any) -> None:
    # Given the queue that a task has when none is declared
    worker = bench.worker("a/b")
    bench.trigger_all([new("a/b") for _ in range(3)])

    assert ask("queues.pause", id="task/a/b")["paused"]
    assert worker.claim(5) == []
    worker.rung()
    assert not ask("queues.resume", id="task/a/b")["paused"]
    assert worker.rung()
    ask("queues.override", id="task/a/b", limit=1)
    assert len(worker.claim(5)) == 1
    shown = ask("queues.reset", id="task/a/b")
    assert (shown["limit"], shown["declared_limit"]) == (None, None)
    assert len(worker.claim(5)) == 2


@pytest.mark.parametrize("operation", ["retrieve", "keys", "pause", "resume", "reset"])
def test_a_queue_that_nobody_knows_is_not_found_and_near_names_are_given(
    bench: Bench, ask: Any, operation: str
) -> None:
    bench.worker("work@openai-calls")
    with pytest.raises(NotFound, match="openai-calls"):
        ask(f"queues.{operation}", id="openai-call")
    with pytest.raises(NotFound, match="openai-calls"):
        ask("queues.override", id="openai-call", limit=1)
    assert [queue["name"] for queue in ask("queues.list")["items"]] == ["openai-calls"]


def test_the_keys_of_a_queue_come_with_the_biggest_first_page_by_page(bench: Bench, ask: Any) -> None:
    worker = bench.worker("work@q", queues=[QueueSpec("q", 2)])
    for key, runs in (("ada", 3), ("bob:s", 1), ("eve", 1), ("", 2)):
        bench.trigger_all([new(concurrency_key=key) for _ in range(runs)])
    worker.claim(1)

    pages: list[dict[str, Any]] = []
    while not pages or pages[-1]["next_cursor"]:
        cursor = {"cursor": pages[-1]["next_cursor"]} if pages else {}
        pages.append(ask("queues.keys", id="q", limit=2, **cursor))

    found = [key for page in pages for key in page["items"]]
    assert [(key["key"], key["running"] + key["queued"]) for key in found] == [
        ("ada", 3),
        ("", 2),
        ("bob:s", 1),
        ("eve", 1),
    ]
    assert sum(key["running"] for key in found) == 1
    assert len(pages) == 2


def test_queues_of_another_environment_are_not_there(bench: Bench, ask: Any) -> None:
    bench.worker("work@q", queues=[QueueSpec("q", 1)])
    bench.engine.env = "prod"
    with pytest.raises(NotFound):
        ask("queues.override", id="q", limit=9)
    bench.engine.env = "dev"
    assert ask("queues.retrieve", id="q")["limit"] == 1
