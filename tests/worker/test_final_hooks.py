"""Hooks at the ends of runs: by the run's own worker, and by another where the run's code could not run them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from detent import Retry, WaitInfo, task
from detent.client import Detent
from detent.errors import DiscoveryError
from detent.sdk.current import active_run
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
said: list[str] = []
entered = threading.Event()
go_on = threading.Event()


@pytest.fixture
def h() -> Iterator[Harness]:
    said.clear()
    entered.clear()
    go_on.clear()
    with harness(stop_grace=0.2) as made:
        yield made
        go_on.set()


def cancel(h: Harness, run_id: str) -> None:
    Detent(h.transport).runs.cancel(run_id, "not wanted")


def canceled(payload: Any, reason: str, ctx: Any) -> None:
    said.append(f"cancel {payload} {reason} {ctx.task.id}")


async def completed(payload: Any, result: Any) -> None:
    await asyncio.sleep(0)
    said.append(f"complete {payload} {result.status} {result.error.code}")


async def failed(payload: Any, error: BaseException) -> None:
    said.append(f"failure {payload} {type(error).__name__}: {error}")


@task(id="blocks-hooked", on_cancel=canceled, on_complete=completed, on_failure=failed)
async def blocks_hooked(n: int) -> None:
    entered.set()
    await asyncio.Event().wait()


@task(id="loops-hooked", on_cancel=canceled, on_complete=completed, on_failure=failed)
def loops_hooked(n: int) -> None:
    entered.set()
    while True:
        pass


both = pytest.mark.parametrize("made", [blocks_hooked, loops_hooked])


@both
def test_a_run_that_is_cancelled_while_it_executes_runs_its_hooks_once_and_says_why(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(1)
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert h.run(handle).status == "CANCELED"
    assert said == [f"cancel 1 not wanted {made.id}", "complete 1 CANCELED canceled"]


@task(id="waits-hooked", on_wait=lambda wait, payload: said.append(f"wait {payload} {wait.kind} {wait.target}"))
async def waits_hooked(n: int) -> None:
    # What the waits of a run do around each of them.
    run: Any = active_run("a wait")
    await run.hooks("on_wait", wait=WaitInfo("time", "for#1", "tomorrow"))
    await run.hooks("on_resume", wait=WaitInfo("time", "for#1", "tomorrow"))


@waits_hooked.on_resume
async def resumed(wait: WaitInfo) -> None:
    await asyncio.sleep(0)
    said.append(f"resume {wait.key}")
    raise ValueError("of the hook")


@task(id="waits-hooked-plain")
def waits_hooked_plain(n: int) -> None:
    run: Any = active_run("a wait")
    run.hooks_sync("on_wait", wait=WaitInfo("time", "for#1", "tomorrow"))
    run.hooks_sync("on_resume", wait=WaitInfo("time", "for#1", "tomorrow"))


@waits_hooked_plain.on_wait
def waits_plainly(wait: WaitInfo, payload: int) -> None:
    said.append(f"wait {payload} {wait.kind} {wait.target}")


waits_hooked_plain.on_resume(resumed)


@pytest.mark.parametrize("made", [waits_hooked, waits_hooked_plain])
def test_hooks_around_a_wait_are_told_what_is_waited_for_and_their_errors_change_nothing(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(2)
    assert h.output(handle) is None
    assert said == ["wait 2 time tomorrow", "resume for#1"]
    assert any("on_resume hook raised ValueError" in line.message for line in h.logs(handle))


def test_a_hook_of_a_wait_may_not_ask_for_what_only_an_end_has() -> None:
    with pytest.raises(DiscoveryError, match=r"on_wait.*'result'.*ctx, payload, wait"):
        blocks_hooked.on_wait(lambda result: None)
