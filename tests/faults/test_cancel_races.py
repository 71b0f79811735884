"""A run is cancelled while it ends, whatever it is doing: it ends once, with all that it started (F16)."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from tests.oracle import check_ended

from detent import Context, Retry, queue, task, wait
from detent.errors import Conflict
from detent.sync import tasks
from detent.sync import wait as blocking_wait
from detent.testing import Harness, harness

from .figures import figures, percentile
from .project import wait_for
from .test_token_races import at_once

lane = queue("cancelled", concurrency_limit=40)
opened: set[str] = set()


@task(id="running", queue=lane)
async def running(name: str) -> str:
    while name not in opened:  # noqa: ASYNC110  # another thread opens it
        await asyncio.sleep(0.002)
    return name


@task(id="running-plain", queue=lane)
def running_plain(name: str) -> str:
    while name not in opened:
        time.sleep(0.002)
    return name


@task(id="waits-for-time", queue=lane)
async def waits_for_time(name: str) -> str:
    await wait.for_(minutes=1)
    return name


@task(id="waits-for-time-plain", queue=lane)
def waits_for_time_plain(name: str) -> str:
    blocking_wait.for_(minutes=1)
    return name


@task(id="waits-for-a-child", queue=lane)
async def waits_for_a_child(name: str) -> str:
    return await running.trigger_and_wait(name).unwrap()


@task(id="waits-for-a-token", queue=lane)
async def waits_for_a_token(name: str) -> str:
    return str((await wait.for_token(name)).output)


@task(id="races-again", queue=lane, retry=Retry(max_attempts=2, min_timeout=60, randomize=False))
async def tries_again(name: str, ctx: Context) -> str:
    if ctx.attempt.number == 1:
        raise ValueError("not yet")
    return name


TASKS = [
    running,
    running_plain,
    waits_for_time,
    waits_for_time_plain,
    waits_for_a_child,
    waits_for_a_token,
    tries_again,
]


@dataclass
class Case:
    """What a run does when it is cancelled: its task, its status then, and what would let it end by itself."""

    name: str
    task: str
    status: str
    end: str

    def end_all(self, h: Harness, names: list[str]) -> None:
        match self.end:
            case "gate":
                for name in names:
                    opened.add(name)
                    time.sleep(0)
            case "clock":
                h.clock.move_to(h.clock.now() + 60_000)
                h.engine.sweep()
            case "token":
                for name in names:
                    blocking_wait.complete_token(name, name)
            case "claim":
                h.engine.pause_queue("cancelled", False)


CASES = [
    Case("queued, being claimed", "waits-for-a-token", "QUEUED", "claim"),
    Case("running async", "running", "EXECUTING", "gate"),
    Case("running sync", "running-plain", "EXECUTING", "gate"),
    Case("waiting for time", "waits-for-time", "WAITING", "clock"),
    Case("waiting for time, sync", "waits-for-time-plain", "WAITING", "clock"),
    Case("waiting for a child", "waits-for-a-child", "WAITING", "gate"),
    Case("waiting for a token", "waits-for-a-token", "WAITING", "token"),
    Case("retry backoff", "races-again", "DELAYED", "clock"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_run_that_is_cancelled_while_it_ends_ends_once(case: Case) -> None:
    cancel_race(case, races=16, rounds=4)


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_thousand_runs_that_are_cancelled_while_they_end_end_once(case: Case) -> None:
    cancel_race(case, races=16, rounds=63)


def test_a_cancelled_async_run_stops_and_frees_its_slot() -> None:
    took_ms: list[float] = []
    with harness(TASKS) as h:
        for n in range(20):
            name = f"alone-{n}"
            run = running.sync.trigger(name)
            wait_for("it begins", lambda run=run: h.run(run).status == "EXECUTING")
            began = time.monotonic()
            h.engine.cancel(run.id)
            h.engine.wait(run.id, 5)
            took_ms.append((time.monotonic() - began) * 1000)
            assert h.run(run).status == "CANCELED"
        check_ended(h.store.path, h.clock)
    figures(
        "F16",
        "20 async runs",
        f"cancelled and ended after p50 {percentile(took_ms, 0.5):.1f} ms, worst {max(took_ms):.1f} ms",
    )


def test_a_cancelled_run_takes_along_what_it_started_and_waits_for() -> None:
    with harness(TASKS) as h:
        parent = waits_for_a_child.sync.trigger("never")
        wait_for("it parks", lambda: h.run(parent).status == "WAITING")
        began = time.monotonic()
        assert h.engine.cancel(parent.id) == "CANCELED"
        h.drain(timeout=10)
        took_ms = (time.monotonic() - began) * 1000
        report = check_ended(h.store.path, h.clock)
    assert report.states == {"CANCELED": 2}
    figures("F16", "a parent and its child", f"both cancelled after {took_ms:.0f} ms")


def cancel_race(case: Case, *, races: int, rounds: int) -> None:
    chance = random.Random(2)
    ends: Counter[str] = Counter()
    answers: Counter[str] = Counter()
    began = time.monotonic()
    with harness(TASKS, threads=races) as h:
        for _ in range(rounds):
            names = [blocking_wait.create_token(tags="race").id for _ in range(races)]
            if case.end == "claim":
                h.engine.pause_queue("cancelled")
                for name in names:
                    blocking_wait.complete_token(name, name)
            runs = [tasks.trigger(case.task, name).id for name in names]
            wait_for("all are there", lambda runs=runs: reached(h, runs, case.status))
            said: dict[str, str] = {}

            def cancel_all(runs: list[str] = runs, said: dict[str, str] = said) -> None:
                time.sleep(chance.random() * 0.003)  # so that now the one is ahead, now the other
                for run in chance.sample(runs, len(runs)):
                    try:
                        said[run] = h.engine.cancel(run)
                    except Conflict:
                        said[run] = "refused"

            acts: list[Callable[[], None]] = [cancel_all, lambda names=names: case.end_all(h, names)]
            at_once(acts)
            opened.update(names)
            h.drain(timeout=60)
            for run in runs:
                status = h.run(run).status.value
                ends[status] += 1
                answers[said[run]] += 1
                assert status in ("COMPLETED", "CANCELED"), (case.name, status)
                assert said[run] != "CANCELED" or status == "CANCELED", "it was said to be cancelled, and is not"
                assert said[run] != "refused" or status == "COMPLETED", "it was said to have ended, and had not"
        assert h.store.read_sql("SELECT count(*) FROM runs WHERE state = 'EXECUTING'", {})[0][0] == 0
        check_ended(h.store.path, h.clock)
    figures(
        "F16",
        f"{case.name}, {races * rounds} races of a cancel with the end",
        f"{dict(ends)}, cancels answered {dict(answers)}; each ended once, no child left; "
        f"{time.monotonic() - began:.1f} s",
    )


def reached(h: Harness, runs: list[str], status: str) -> bool:
    rows = h.store.read_sql("SELECT id FROM runs WHERE state = :state", {"state": status})
    return set(runs) <= {row["id"] for row in rows}
