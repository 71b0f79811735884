"""Hooks around runs: their order, what they may take, and what their errors do."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from detent import AbortTaskRunError, Context, Retry, task, tasks
from detent.errors import DiscoveryError
from detent.sdk.hooks import Hooks
from detent.sdk.registry import registry
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
twice = Retry(max_attempts=2, randomize=False)
said: list[str] = []


@pytest.fixture
def h() -> Iterator[Harness]:
    before, registry.hooks = registry.hooks, Hooks()
    said.clear()
    with harness() as made:
        yield made
    registry.hooks = before


@task(id="hooked")
async def hooked(payload: int) -> int:
    said.append("run")
    return payload + 1


@hooked.middleware
async def around(payload, next):
    said.append(f"in {payload}")
    result = await next()
    said.append(f"out {result}")


@hooked.on_start
def plain_start(ctx: Context, payload: int) -> None:
    said.append(f"start {ctx.task.id} {payload}")


@hooked.on_success
async def succeeded(output: int) -> None:
    said.append(f"success {output}")


@hooked.on_complete
def completed(result, **others) -> None:
    said.append(f"complete {result.ok} {result.output} {sorted(others)}")


@task(id="hooked-plain")
def hooked_plain(payload: int) -> int:
    said.append("run")
    return payload + 1


@hooked_plain.middleware
def around_plain(payload, next):
    said.append(f"in {payload}")
    said.append(f"out {next()}")


@hooked_plain.on_start
async def async_start(ctx: Context, payload: int) -> None:
    await asyncio.sleep(0)
    said.append(f"start {ctx.task.id} {payload}")


hooked_plain.on_success(succeeded)
hooked_plain.on_complete(completed)


@pytest.mark.parametrize("made", [hooked, hooked_plain])
def test_middleware_wraps_all_and_everyones_hooks_come_before_the_tasks_own(h: Harness, made) -> None:
    @tasks.middleware
    async def outermost(next):
        said.append("in")
        await next()
        said.append("out")

    @tasks.on_start
    def first() -> None:
        said.append("start of all")

    assert h.output(made.sync.trigger(1)) == 2
    assert said == [
        "in",
        "in 1",
        "start of all",
        f"start {made.id} 1",
        "run",
        "out 2",
        "out",
        "success 2",
        "complete True 2 ['ctx', 'output', 'payload']",
    ]


def test_a_hook_that_wants_what_its_event_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(DiscoveryError, match=r"on_start.*'output'.*ctx, payload"):
        hooked.on_start(lambda output: None)


fails = {"on_start": True}


@task(id="start-fails", retry=twice)
async def start_fails() -> str:
    said.append("run")
    return "done"


@start_fails.on_start
def fail_first(ctx: Context) -> None:
    if ctx.attempt.number == 1:
        raise ValueError("not ready")


def test_an_error_of_on_start_fails_the_attempt(h: Harness) -> None:
    handle = start_fails.sync.trigger()
    assert h.output(handle) == "done"
    assert said == ["run"]
    assert "not ready" in str(h.run(handle).attempts[0].error)


@task(id="bad-hooks")
async def bad_hooks() -> str:
    return "done"


@bad_hooks.on_success
def success_fails() -> None:
    raise SystemExit("success hook")


@bad_hooks.on_complete
async def complete_fails() -> None:
    raise asyncio.CancelledError("complete hook")


def test_errors_of_hooks_after_the_task_are_logged_and_change_nothing(h: Harness) -> None:
    handle = bad_hooks.sync.trigger()
    assert h.output(handle) == "done"
    lines = [(line.level, line.message) for line in h.logs(handle)]
    assert ("error", "the on_success hook raised SystemExit: success hook") in lines
    assert ("error", "the on_complete hook raised CancelledError: complete hook") in lines


@task(id="failing", retry=twice)
async def failing() -> None:
    raise KeyError("no")


@failing.on_failure
def failed(error, ctx: Context) -> None:
    said.append(f"failure {type(error).__name__} {ctx.attempt.number}")
    raise RuntimeError("of the hook")


@failing.on_complete
def failing_completed(result) -> None:
    said.append(f"complete {result.status} {result.error.type}")


def test_on_failure_comes_after_the_last_attempt_only_and_its_error_is_logged(h: Harness) -> None:
    handle = failing.sync.trigger()
    h.drain()
    assert h.run(handle).status == "FAILED"
    assert said == ["failure KeyError 2", "complete FAILED KeyError"]
    assert any("on_failure hook raised RuntimeError" in line.message for line in h.logs(handle))


decisions: dict[str, object] = {}


@task(id="caught", retry=Retry(max_attempts=3, min_timeout=10, randomize=False))
async def caught(name: str, ctx: Context) -> int:
    if ctx.attempt.number < 2:
        raise ValueError(name)
    return ctx.attempt.number


@caught.catch_error
def catch(payload: str, error: BaseException, ctx: Context) -> object:
    said.append(f"catch {payload} {error}")
    return decisions[payload]


@pytest.mark.parametrize(
    ("name", "decision", "seconds"),
    [
        ("none", None, 10),
        ("delay", {"retry_delay": "5m"}, 300),
        ("at", {"retry_at": "2026-01-01T01:00:00Z"}, 3600),
        ("rubbish", 7, 10),
        ("misspelt", {"retry_dealy": 3}, 10),
        ("unreadable", {"retry_delay": "soon"}, 10),
    ],
)
def test_catch_error_chooses_the_time_and_a_bad_answer_is_logged(h: Harness, name, decision, seconds) -> None:
    decisions[name] = decision
    start = h.clock.now()
    handle = caught.sync.trigger(name)
    assert h.output(handle) == 2
    assert h.clock.now() - start == seconds * 1000
    complaints = [line.message for line in h.logs(handle) if "catch_error hook raised" in line.message]
    assert bool(complaints) == (name in {"rubbish", "misspelt", "unreadable"})


@pytest.mark.parametrize(
    ("decision", "message"),
    [({"skip_retrying": True}, "skip"), ({"error": AbortTaskRunError("hopeless")}, "hopeless")],
)
def test_catch_error_may_end_the_retries_and_put_another_error_in_place(h: Harness, decision, message) -> None:
    decisions["skip"] = decision
    handle = caught.sync.trigger("skip")
    h.drain()
    ended = h.run(handle)
    assert (ended.status, len(ended.attempts)) == ("FAILED", 1)
    assert message in str(ended.error)


@task(id="barred", retry=twice)
def barred() -> None:
    said.append("run")


@barred.middleware
def bar(next) -> None:
    """Never calls next."""


def test_a_middleware_that_does_not_call_next_fails_the_run_with_the_reason(h: Harness) -> None:
    handle = barred.sync.trigger()
    h.drain()
    ended = h.run(handle)
    assert (ended.status, len(ended.attempts), said) == ("FAILED", 1, [])
    assert "did not call next()" in str(ended.error)


@task(id="hushed", retry=once)
async def hushed() -> None:
    raise ValueError("the real one")


@hushed.middleware
async def hush(next) -> None:
    try:
        await next()
    except ValueError:
        said.append("hushed")


def test_a_middleware_that_swallows_the_error_does_not_make_a_success_of_it(h: Harness) -> None:
    handle = hushed.sync.trigger()
    h.drain()
    assert h.run(handle).status == "FAILED"
    assert "the real one" in str(h.run(handle).error)
    assert said == ["hushed"]


@task(id="waits-in-hook")
def waits_in_hook() -> str:
    return "done"


@waits_in_hook.on_success
async def start_another(ctx: Context) -> None:
    said.append(str(await hooked.trigger_and_wait(5).unwrap()))


def test_an_async_hook_of_a_plain_task_may_wait_for_a_child(h: Harness) -> None:
    assert h.output(waits_in_hook.sync.trigger()) == "done"
    assert said[-1] == "6"
