"""Hooks at the ends of runs: by the run's own worker, and by another where the run's code could not run them."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from tests.servers.process import until

from detent import Retry, WaitInfo, metadata, retry, step, task, tasks, wait
from detent.client import Detent
from detent.errors import DiscoveryError, StepFailed
from detent.model.ids import new_id
from detent.model.protocol import NewRun
from detent.sdk.current import active_run
from detent.sdk.hooks import Hooks
from detent.sdk.registry import registry
from detent.testing import Harness, harness

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
    while not go_on.is_set():
        pass
    # What is left behind when its test is over must not spin beside the others; nor does it end, with its loop gone.
    threading.Event().wait()


both = pytest.mark.parametrize("made", [blocks_hooked, loops_hooked])


@both
def test_a_run_that_is_cancelled_while_it_executes_runs_its_hooks_once_and_says_why(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(1)
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert h.run(handle).status == "CANCELED"
    assert said == [f"cancel 1 not wanted {made.id}", "complete 1 CANCELED canceled"]


def pause(h: Harness, made: Any) -> Any:
    """A run that is queued and stays so."""
    h.engine.pause_queue(made.queue.name)
    return made.sync.trigger(1)


@both
@pytest.mark.parametrize("state", ["QUEUED", "DELAYED"])
def test_a_run_that_is_cancelled_before_it_began_runs_its_hooks_on_a_worker(h: Harness, made: Any, state: str) -> None:
    handle = pause(h, made) if state == "QUEUED" else made.sync.trigger(1, delay="1h")
    assert h.run(handle).status == state
    cancel(h, handle.id)
    h.drain()
    ended = h.run(handle)
    assert (ended.status, ended.attempts) == ("CANCELED", [])
    assert said == [f"cancel 1 not wanted {made.id}", "complete 1 CANCELED canceled"]


@task(id="backs-off-hooked", on_cancel=canceled, on_complete=completed, retry=Retry(min_timeout=60))
async def backs_off(n: int) -> None:
    raise ValueError("try again")


def test_a_run_that_is_cancelled_between_two_attempts_runs_its_hooks(h: Harness) -> None:
    handle = backs_off.sync.trigger(1)
    h.drain(advance=False)
    assert h.run(handle).status == "DELAYED"
    cancel(h, handle.id)
    h.drain()
    assert said == ["cancel 1 not wanted backs-off-hooked", "complete 1 CANCELED canceled"]


@task(id="parent-hooked", on_cancel=canceled, on_complete=completed)
async def parent_hooked(n: int) -> None:
    await blocks_hooked.trigger_and_wait(n + 1)


@task(id="parent-hooked-plain", on_cancel=canceled, on_complete=completed)
def parent_hooked_plain(n: int) -> None:
    loops_hooked.sync.trigger_and_wait(n + 1)


@pytest.mark.parametrize(("made", "child"), [(parent_hooked, blocks_hooked), (parent_hooked_plain, loops_hooked)])
def test_a_run_that_is_cancelled_while_it_waits_runs_its_hooks_and_its_child_its_own(
    h: Harness, made: Any, child: Any
) -> None:
    handle = made.sync.trigger(1)
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert h.run(handle).status == "CANCELED"
    assert sorted(said) == [
        f"cancel 1 not wanted {made.id}",
        f"cancel 2 not wanted {child.id}",
        "complete 1 CANCELED canceled",
        "complete 2 CANCELED canceled",
    ]


@both
def test_a_run_that_expires_runs_on_failure(h: Harness, made: Any) -> None:
    h.engine.pause_queue(made.queue.name)
    handle = made.sync.trigger(1, ttl="1m")
    h.clock.move_to(h.clock.now() + 60_000)
    h.engine.sweep()
    h.drain()
    assert h.run(handle).status == "EXPIRED"
    reason = "no worker started the run within its ttl"
    assert said == [f"failure 1 RunFailed: {reason}", "complete 1 EXPIRED expired"]


def crash(h: Harness, handle: Any, times: int = 3) -> None:
    for _ in range(times):
        assert entered.wait(10)
        entered.clear()
        victim = next(row["worker_id"] for row in h.store.read("find_run", id=handle.id))
        h.start_worker()
        h.engine.lose_worker(victim, "killed by signal 9")


@both
def test_a_run_that_crashes_runs_on_failure_on_a_worker_that_lives(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(1)
    crash(h, handle)
    h.drain()
    assert h.run(handle).status == "CRASHED"
    assert said[-1] == "complete 1 CRASHED crashed"
    assert said[0].startswith("failure 1 RunFailed: the worker process ended while it executed this run: killed")
    assert len(said) == 2


@task(id="swallows-hooked", on_cancel=canceled, on_complete=completed, on_failure=failed)
async def swallows(n: int) -> None:
    while not go_on.is_set():
        entered.set()
        try:
            await asyncio.sleep(0.02)
        except BaseException:
            said.append("swallowed")


@task(id="swallows-hooked-plain", on_cancel=canceled, on_complete=completed, on_failure=failed)
def swallows_plain(n: int) -> None:
    while not go_on.is_set():
        entered.set()
        try:
            go_on.wait(0.02)
        except BaseException:
            said.append("swallowed")


@pytest.mark.parametrize("made", [swallows, swallows_plain])
def test_a_run_that_does_not_stop_when_it_is_cancelled_has_its_hooks_run_without_it(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(1)
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert h.run(handle).status == "CANCELED"
    assert said == ["swallowed", f"cancel 1 not wanted {made.id}", "complete 1 CANCELED canceled"]


@pytest.mark.parametrize("made", [swallows, swallows_plain])
def test_a_run_that_does_not_stop_when_its_time_is_over_has_its_hooks_run_without_it(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(1, max_duration=1)
    h.drain()
    assert h.run(handle).status == "TIMED_OUT"
    text = "the attempt used more than its max_duration of 1 s"
    assert said == ["swallowed", f"failure 1 TimeoutError: {text}", "complete 1 TIMED_OUT timed_out"]


@task(id="alerts-of-hooks")
async def alert(text: str) -> str:
    said.append(f"alert {text}")
    return text


gate = threading.Event()


@task(id="slow-hooks")
async def slow_hooks(n: int) -> None: ...


@slow_hooks.on_cancel
async def alert_slowly(ctx: Any) -> None:
    handle = await alert.trigger(f"of {ctx.run.id}")
    said.append(handle.id)
    entered.set()
    await asyncio.to_thread(gate.wait, 10)


@task(id="slow-hooks-plain")
def slow_hooks_plain(n: int) -> None: ...


@slow_hooks_plain.on_cancel
def alert_slowly_plain(ctx: Any) -> None:
    handle = alert.sync.trigger(f"of {ctx.run.id}")
    said.append(handle.id)
    entered.set()
    gate.wait(10)


@pytest.mark.parametrize("made", [slow_hooks, slow_hooks_plain])
def test_hooks_whose_worker_is_lost_run_again_elsewhere_and_start_their_runs_once(h: Harness, made: Any) -> None:
    gate.clear()
    handle = pause(h, made)
    cancel(h, handle.id)
    assert entered.wait(10)
    # What the hook has started is over: else it would be lost with its worker, and executed once more.
    [started] = [line for line in said if line.startswith("run_")]
    until("the end of the alert", lambda: h.run(started).status == "COMPLETED")
    entered.clear()
    h.start_worker()
    h.engine.lose_worker(h.worker.worker_id, "killed")
    assert entered.wait(10)
    gate.set()
    h.drain()
    alerts = [line for line in said if line.startswith("alert")]
    ids = [line for line in said if line.startswith("run_")]
    assert alerts == [f"alert of {handle.id}"]
    assert len(ids) == 2
    assert len(set(ids)) == 1
    assert [child.id for child in h.run(handle).children] == ids[:1]


def test_a_worker_that_drains_hands_its_hooks_on(h: Harness) -> None:
    gate.clear()
    handle = pause(h, slow_hooks)
    cancel(h, handle.id)
    assert entered.wait(10)
    entered.clear()
    h.start_worker()
    h.worker.drain(0)
    assert entered.wait(10)
    gate.set()
    h.drain()
    assert h.store.read_sql("SELECT count(*) AS n FROM duties", {})[0]["n"] == 0
    assert "hooks_lost" not in [row["kind"] for row in h.store.read("list_events", run_id=handle.id)]


@task(id="bad-hooks-of-end")
async def bad_hooks(n: int) -> None: ...


@bad_hooks.on_cancel
async def waits_in_hook() -> None:
    await alert.trigger_and_wait("never")


@bad_hooks.on_cancel
def raises() -> None:
    metadata.set("seen", True)
    raise SystemExit("of the hook")


bad_hooks.on_complete(completed)


def test_hooks_that_raise_or_wait_are_logged_with_the_run_and_the_others_run(h: Harness) -> None:
    handle = pause(h, bad_hooks)
    cancel(h, handle.id)
    h.drain()
    lines = [line.message for line in h.logs(handle) if line.level == "error"]
    assert "hooks of a run that has ended cannot wait" in lines[0]
    assert lines[1] == "the on_cancel hook raised SystemExit: of the hook"
    assert said == ["complete 1 CANCELED canceled"]
    ended = h.run(handle)
    assert (ended.status, ended.metadata) == ("CANCELED", {"seen": True})
    spans = h.telemetry.spans(handle.id)
    assert [(span["name"], span["ok"]) for span in spans] == [
        ("on_cancel", 0),
        ("on_cancel", 0),
        ("on_complete", 1),
    ]


keys: list[str] = []


def flaky(attempt: Any) -> int:
    if attempt.number == 1:
        raise ValueError("once more")
    return attempt.number


def charge(idempotency_key: str) -> str:
    keys.append(idempotency_key)
    return "paid"


def fail() -> None:
    raise ValueError("of the step")


@task(id="busy-hooks")
async def busy(n: int) -> None: ...


@busy.on_cancel
async def uses_everything(ctx: Any) -> None:
    said.append(f"{await retry.on_throw(flaky)} {await step('pay', charge)} {ctx.now().year}")
    await asyncio.gather(*(alert.trigger(str(n)) for n in range(2)))
    token = await wait.create_token()
    await wait.complete_token(token, "done")
    assert (await wait.retrieve_token(token.id)).status == "COMPLETED"
    await alert.trigger("after")
    try:
        await step("fails", fail)
    except StepFailed as error:
        said.append(str(error))
    await wait.until("2100-01-01T00:00:00Z")


@task(id="busy-hooks-plain")
def busy_plain(n: int) -> None: ...


@busy_plain.on_cancel
def uses_everything_plain(ctx: Any) -> None:
    said.append(f"{retry.sync.on_throw(flaky)} {step.sync('pay', charge)} {ctx.now().year}")
    alert.sync.batch_trigger(["0", "1"])
    token = wait.sync.create_token()
    wait.sync.complete_token(token, "done")
    alert.sync.trigger("after")
    try:
        step.sync("fails", fail)
    except StepFailed as error:
        said.append(str(error))
    wait.sync.until("2100-01-01T00:00:00Z")


@pytest.mark.parametrize("made", [busy, busy_plain])
def test_such_hooks_may_do_all_that_needs_no_journal(h: Harness, made: Any) -> None:
    handle = pause(h, made)
    cancel(h, handle.id)
    h.drain()
    assert said[0] == "2 paid 2026"
    assert "of the step" in next(line for line in said if "step" in line)
    assert sorted(line for line in said if line.startswith("alert")) == ["alert 0", "alert 1", "alert after"]
    assert len(keys[-1]) == 32
    errors = [line.message for line in h.logs(handle) if line.level == "error"]
    assert len(errors) == 1
    assert "cannot wait" in errors[0]
    assert h.store.read_sql("SELECT count(*) AS n FROM journal", {})[0]["n"] == 0


def test_a_payload_that_does_not_fit_is_no_payload_for_the_hooks(h: Harness) -> None:
    h.engine.pause_queue(blocks_hooked.queue.name)
    run_id = new_id("run")
    h.engine.trigger([NewRun(run_id, blocks_hooked.id, '"no number"', known=True)])
    cancel(h, run_id)
    h.drain()
    assert said == ["cancel None not wanted blocks-hooked", "complete None CANCELED canceled"]
    assert any("get no payload" in line.message for line in h.logs(run_id))


@task(id="without-hooks")
async def without_hooks() -> None: ...


def test_hooks_for_every_task_run_for_what_never_ran_too() -> None:
    before, registry.hooks = registry.hooks, Hooks()
    said.clear()
    try:

        @tasks.on_cancel
        async def told(ctx: Any, reason: str) -> None:
            said.append(f"{ctx.task.id} {reason} {ctx.attempt.number}")

        with harness() as h:
            handle = without_hooks.sync.trigger(delay="1h")
            cancel(h, handle.id)
            h.drain()
            assert said == ["without-hooks not wanted 1"]
    finally:
        registry.hooks = before


let_go = threading.Event()


@task(id="endless-hooks", on_complete=completed)
async def endless(n: int) -> None: ...


@endless.on_cancel
async def never_ends() -> None:
    try:
        await asyncio.Event().wait()
    finally:
        let_go.set()


@task(id="endless-hooks-plain", on_complete=completed)
def endless_plain(n: int) -> None: ...


@endless_plain.on_cancel
def never_ends_plain() -> None:
    try:
        while True:
            pass
    finally:
        let_go.set()


@pytest.mark.parametrize("made", [endless, endless_plain])
def test_hooks_that_do_not_end_are_left_after_their_time(
    h: Harness, made: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    let_go.clear()
    monkeypatch.setattr("detent.worker.stops.DUTY_S", 0.1)
    handle = pause(h, made)
    cancel(h, handle.id)
    h.drain()
    assert any("the hooks took more than 0.1 s" in line.message for line in h.logs(handle))
    assert h.output(alert.sync.trigger("after")) == "after"
    assert let_go.wait(10)
    assert said == ["alert after"]


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
