"""A task that calls itself, on a queue that lets one run execute at a time, does not lock itself out (F11)."""

from __future__ import annotations

import time
from typing import Any

import pytest
from tests.oracle import check_ended

from detent import queue, task
from detent.sdk.task import Task
from detent.testing import harness

from .figures import figures

one = queue("one-at-a-time", concurrency_limit=1)


@task(id="dive", queue=one)
async def dive(depth: int) -> int:
    return 0 if depth == 0 else 1 + await dive.trigger_and_wait(depth - 1).unwrap()


@task(id="dive-plain", queue=one)
def dive_plain(depth: int) -> int:
    return 0 if depth == 0 else 1 + dive_plain.sync.trigger_and_wait(depth - 1).unwrap()


@task(id="dive-by-turns", queue=one)
async def dive_by_turns(depth: int) -> int:
    return 0 if depth == 0 else 1 + await dive_by_turns_plain.trigger_and_wait(depth - 1).unwrap()


@task(id="dive-by-turns-plain", queue=one)
def dive_by_turns_plain(depth: int) -> int:
    return 0 if depth == 0 else 1 + dive_by_turns.sync.trigger_and_wait(depth - 1).unwrap()


TASKS = [dive, dive_plain, dive_by_turns, dive_by_turns_plain]


@pytest.mark.parametrize("deep", TASKS[:3], ids=lambda deep: deep.id)
def test_fifty_runs_that_wait_for_each_other_pass_through_a_queue_of_one(deep: Task[Any, Any]) -> None:
    dive_down(deep, 50)


@pytest.mark.soak
@pytest.mark.parametrize("deep", TASKS[:3], ids=lambda deep: deep.id)
def test_five_hundred_runs_that_wait_for_each_other_pass_through_a_queue_of_one(deep: Task[Any, Any]) -> None:
    dive_down(deep, 500)


def dive_down(deep: Task[Any, Any], depth: int) -> None:
    with harness(TASKS, threads=2) as h:
        began = time.monotonic()
        assert h.output(deep.sync.trigger(depth)) == depth
        took_s = time.monotonic() - began
        report = check_ended(h.store.path, h.clock)
        assert report.states == {"COMPLETED": depth + 1}
        assert report.queues["one-at-a-time"].most == 1
    figures("F11", f"{deep.id}, depth {depth}, a queue of limit 1, 2 threads", f"no deadlock; {took_s:.2f} s")
