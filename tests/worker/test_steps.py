"""Steps, as demanding users write them."""

from __future__ import annotations

import asyncio
import functools
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

import pytest
from pydantic import BaseModel
from tests.worker.elsewhere import entries, go_elsewhere, parked

from detent import AbortTaskRunError, Context, Retry, step, task, wait
from detent.errors import DetentError, InvalidOptions, LimitExceeded, StepFailed, Unserializable
from detent.sync import step as step_sync
from detent.sync import wait as wait_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
twice = Retry(max_attempts=2, randomize=False)
seen: list[Any] = []
calls: list[Any] = []


@pytest.fixture
def h() -> Iterator[Harness]:
    seen.clear()
    calls.clear()
    with harness() as made:
        yield made


def cold(h: Harness, handle: Any) -> Any:
    """Lose the worker at the first wait of a run; its output."""
    parked(h, handle)
    go_elsewhere(h)
    return h.output(handle)


# What comes back.


class Model(BaseModel):
    name: str
    at: datetime


@dataclass
class Point:
    x: int
    y: tuple[int, int] = (0, 0)


MOMENT = datetime(2026, 3, 1, 12, tzinfo=UTC)


def make_model(name: str) -> Model:
    calls.append("model")
    return Model(name=name, at=MOMENT)


async def make_point(x: int) -> Point:
    calls.append("point")
    return Point(x, (1, 2))


def make_none() -> None:
    calls.append("none")


def make_pair() -> tuple[int, str]:
    calls.append("pair")
    return (1, "a")


def make_moment() -> datetime:
    calls.append("moment")
    return MOMENT


def make_untold():  # type: ignore[no-untyped-def]
    calls.append("untold")
    return (1, date(2026, 3, 1))


async def make_many() -> dict[str, list[Point]]:
    calls.append("many")
    return {"a": [Point(1)], "b": []}


EXPECTED = [
    Model(name="n", at=MOMENT),
    Point(7, (1, 2)),
    None,
    (1, "a"),
    MOMENT,
    [1, "2026-03-01"],
    {"a": [Point(1)], "b": []},
    "",
    0,
]


@task(id="s-values", retry=once)
async def values(ctx: Context) -> None:
    got = [
        await step("model", make_model, "n"),
        await step("point", make_point, 7),
        await step("none", make_none),
        await step("pair", make_pair),
        await step("moment", make_moment),
        await step("untold", make_untold),
        await step("many", make_many),
        await step("empty", str),
        await step("zero", lambda: 0),
    ]
    seen.append(got)
    await wait.for_(hours=1)


@task(id="s-values-plain", retry=once)
def values_plain(ctx: Context) -> None:
    got = [
        step_sync("model", make_model, "n"),
        step_sync("point", lambda: Point(7, (1, 2)), returns=Point),
        step_sync("none", make_none),
        step_sync("pair", make_pair),
        step_sync("moment", make_moment),
        step_sync("untold", make_untold),
        step_sync("many", lambda: {"a": [Point(1)], "b": []}, returns=dict[str, list[Point]]),
        step_sync("empty", str),
        step_sync("zero", lambda: 0),
    ]
    seen.append(got)
    wait_sync.for_(hours=1)


@pytest.mark.parametrize("made", [values, values_plain])
def test_a_step_gives_the_same_value_when_it_is_made_and_when_it_is_found(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    first = list(calls)
    cold(h, handle)
    assert seen == [EXPECTED, EXPECTED]
    assert calls == first


@task(id="s-model-untold", retry=once)
async def model_untold(ctx: Context) -> None:
    await step("made", lambda: Model(name="x", at=MOMENT))


def test_a_model_that_would_not_come_back_as_one_is_refused_with_the_words_to_add(h: Harness) -> None:
    handle = model_untold.sync.trigger()
    h.drain()
    error = h.run(handle).error
    assert error is not None
    assert "returns=Model" in error.message


@task(id="s-large", retry=once)
async def large(size: int, ctx: Context) -> int:
    text = await step("large", lambda: calls.append("large") or "é" * size)
    await wait.for_(hours=1)
    return len(text)


@task(id="s-large-plain", retry=once)
def large_plain(size: int, ctx: Context) -> int:
    text = step_sync("large", lambda: calls.append("large") or "é" * size)
    wait_sync.for_(hours=1)
    return len(text)


@pytest.mark.parametrize("made", [large, large_plain])
@pytest.mark.parametrize("size", [60_000, 70_000, 2_000_000])
def test_a_large_value_is_kept_beside_the_journal_and_found_again(h: Harness, made: Any, size: int) -> None:
    handle = made.sync.trigger(size)
    parked(h, handle)
    [entry] = [entry for entry in entries(h, handle) if entry["kind"] == "step"]
    assert (entry["value_ref"] is None) == (size == 60_000)
    assert cold(h, handle) == size
    assert calls == ["large"]


# Errors.


class Broken(Exception):
    """What a user raises."""


def breaks(word: str) -> None:
    calls.append(word)
    raise Broken(word)


async def breaks_async(word: str) -> None:
    breaks(word)


@task(id="s-breaks", retry=once)
async def breaking(ctx: Context) -> list[str]:
    texts = []
    for name, fn in (("plain", breaks), ("async", breaks_async)):
        try:
            await step(name, fn, f"it {name}")
        except StepFailed as error:
            texts += [str(error), error.type, error.error.message]
    seen.append(texts)
    await wait.for_(hours=1)
    return texts


@task(id="s-breaks-plain", retry=once)
def breaking_plain(ctx: Context) -> list[str]:
    texts = []
    for name in ("plain", "async"):
        try:
            step_sync(name, breaks, f"it {name}")
        except StepFailed as error:
            texts += [str(error), error.type, error.error.message]
    seen.append(texts)
    wait_sync.for_(hours=1)
    return texts


@pytest.mark.parametrize("made", [breaking, breaking_plain])
def test_a_step_that_raised_raises_the_same_again_and_is_not_made_again(h: Harness, made: Any) -> None:
    texts = cold(h, made.sync.trigger())
    assert texts[:3] == ["step 'plain' raised Broken: it plain", "Broken", "it plain"]
    assert seen == [texts, texts]
    assert calls == ["it plain", "it async"]


@task(id="s-uncaught", retry=once)
async def uncaught(ctx: Context) -> None:
    await step("boom", breaks, "boom")


def test_the_error_of_a_run_is_what_its_step_raised_with_the_place(h: Harness) -> None:
    handle = uncaught.sync.trigger()
    h.drain()
    error = h.run(handle).error
    assert error is not None
    assert (error.type, error.message) == ("Broken", "boom")
    assert "in breaks" in error.traceback


def abort() -> None:
    calls.append("abort")
    raise AbortTaskRunError("never again")


@task(id="s-aborts", retry=twice)
async def aborts(is_taken: bool, ctx: Context) -> str:
    try:
        await step("abort", abort)
    except AbortTaskRunError as error:
        seen.append(str(error))
        if not is_taken:
            raise
    await wait.for_(hours=1)
    return "taken"


def test_an_abort_in_a_step_ends_the_run_or_is_taken_as_such(h: Harness) -> None:
    handle = aborts.sync.trigger(False)
    h.drain()
    assert (h.run(handle).status, h.run(handle).attempt) == ("FAILED", 1)
    seen.clear()
    assert cold(h, aborts.sync.trigger(True)) == "taken"
    assert seen == ["never again"] * 2


@task(id="s-unfit", retry=Retry(max_attempts=3, randomize=False))
async def unfit(how: str, ctx: Context) -> str:
    try:
        await step("unfit", _UNFIT[how])
    except (Unserializable, LimitExceeded) as error:
        seen.append((type(error), str(error)))
    await step("after", calls.append, "after")
    await wait.for_(hours=1)
    return "went on"


@task(id="s-unfit-plain", retry=Retry(max_attempts=3, randomize=False))
def unfit_plain(how: str, ctx: Context) -> str:
    try:
        step_sync("unfit", _UNFIT[how])
    except (Unserializable, LimitExceeded) as error:
        seen.append((type(error), str(error)))
    step_sync("after", calls.append, "after")
    wait_sync.for_(hours=1)
    return "went on"


_UNFIT: dict[str, Any] = {"lock": threading.Lock, "huge": lambda: "x" * 11_000_000}


@pytest.mark.parametrize("made", [unfit, unfit_plain])
@pytest.mark.parametrize(("how", "kind"), [("lock", Unserializable), ("huge", LimitExceeded)])
def test_a_value_that_cannot_be_kept_is_refused_as_such_also_after_a_crash(
    h: Harness, made: Any, how: str, kind: type[DetentError]
) -> None:
    assert cold(h, made.sync.trigger(how)) == "went on"
    assert [what for what, _ in seen] == [kind, kind]
    assert seen[0] == seen[1]
    assert calls == ["after"]


@task(id="s-unfit-uncaught", retry=Retry(max_attempts=3, randomize=False))
async def unfit_uncaught(ctx: Context) -> None:
    await step("lock", threading.Lock)


def test_no_further_attempt_is_made_for_a_value_that_cannot_be_kept(h: Harness) -> None:
    handle = unfit_uncaught.sync.trigger()
    h.drain()
    ended = h.run(handle)
    assert (ended.status, ended.attempt) == ("FAILED", 1)
    assert ended.error is not None
    assert ended.error.code == "unserializable"


# Attempts.


@task(id="s-attempts", retry=Retry(max_attempts=3, randomize=False))
async def attempts(ctx: Context) -> int:
    done = await step("done", lambda: calls.append("done") or 1)
    flaky = await step("flaky", _flaky)
    if ctx.attempt.number < 3:
        raise Broken("again")
    return done + flaky


@task(id="s-attempts-plain", retry=Retry(max_attempts=3, randomize=False))
def attempts_plain(ctx: Context) -> int:
    done = step_sync("done", lambda: calls.append("done") or 1)
    flaky = step_sync("flaky", _flaky)
    if ctx.attempt.number < 3:
        raise Broken("again")
    return done + flaky


def _flaky() -> int:
    calls.append("flaky")
    if calls.count("flaky") == 1:
        raise Broken("first")
    return 10


@pytest.mark.parametrize("made", [attempts, attempts_plain])
def test_finished_steps_are_kept_over_attempts_and_failed_ones_are_made_again(h: Harness, made: Any) -> None:
    assert h.output(made.sync.trigger()) == 11
    assert calls == ["done", "flaky", "flaky"]


def keyed(idempotency_key: str) -> str:
    calls.append(idempotency_key)
    if calls.count(idempotency_key) == 1:
        raise Broken("first")
    return step.idempotency_key()


@task(id="s-keyed", retry=Retry(max_attempts=2, randomize=False))
async def with_keys(ctx: Context) -> list[str]:
    return [await step("charge", keyed), await step("other", lambda: ctx.idempotency_key)]


def test_the_key_of_a_step_stays_the_same_over_attempts_and_is_its_own(h: Harness) -> None:
    first = h.output(with_keys.sync.trigger())
    assert calls == [first[0], first[0]]
    second = h.output(with_keys.sync.trigger())
    assert len({*first, *second}) == 4


# A crash within.

entered = threading.Event()
go_on = threading.Event()


@task(id="s-killed", retry=once)
async def killed(ctx: Context) -> str:
    await step("before", calls.append, "before")
    await step("within", _within)
    return "done"


@task(id="s-killed-plain", retry=once)
def killed_plain(ctx: Context) -> str:
    step_sync("before", calls.append, "before")
    step_sync("within", _within)
    return "done"


def _within() -> None:
    calls.append(f"within {step.idempotency_key()}")
    if not entered.is_set():
        entered.set()
        go_on.wait(10)


@pytest.mark.parametrize("made", [killed, killed_plain])
def test_an_unfinished_step_is_made_again_under_the_same_key(h: Harness, made: Any) -> None:
    entered.clear()
    go_on.clear()
    handle = made.sync.trigger()
    assert entered.wait(10)
    go_elsewhere(h)
    assert h.output(handle) == "done"
    go_on.set()
    assert len(calls) == 3
    assert calls[1] == calls[2]


# Names.

NAMES = [
    "1/2",
    "a#1",
    "a",
    "a",
    "*/x",
    "./y",
    "1*/z",
    "a>b",
    "wait#1",
    "wait",
    "value",
    "ünï 🚀",
    " ",
    "x" * 128,
    "\n",
    "'",
]


@task(id="s-names", retry=once)
async def names(ctx: Context) -> list[str]:
    got = [await step(name, lambda name=name: calls.append(name) or f"{name}!") for name in NAMES]
    got += await asyncio.gather(*(step(name, lambda name=name: calls.append(name) or f"{name}?") for name in NAMES))
    await wait.for_(hours=1)
    got += [await step(name, lambda name=name: calls.append(name) or f"{name}.") for name in NAMES]
    await wait.for_(hours=1)
    return got


@task(id="s-names-plain", retry=once)
def names_plain(ctx: Context) -> list[str]:
    got = [step_sync(name, lambda name=name: calls.append(name) or f"{name}!") for name in NAMES]
    got += [step_sync(name, lambda name=name: calls.append(name) or f"{name}?") for name in NAMES]
    wait_sync.for_(hours=1)
    got += [step_sync(name, lambda name=name: calls.append(name) or f"{name}.") for name in NAMES]
    wait_sync.for_(hours=1)
    return got


@pytest.mark.parametrize("made", [names, names_plain])
def test_any_text_may_name_a_step_and_a_name_may_come_again(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    h.advance("1h")
    parked(h, handle)
    assert cold(h, handle) == [f"{name}{mark}" for mark in "!?." for name in NAMES]
    assert sorted(calls) == sorted(NAMES * 3)


@task(id="s-misnamed", retry=once)
async def misnamed(ctx: Context) -> list[str]:
    texts = []
    for name in ("", "x" * 129, 7):
        try:
            await step(name, str)  # type: ignore[call-overload]
        except InvalidOptions as error:
            texts.append(str(error))
    await wait.for_(hours=1)
    return texts


def test_a_name_that_is_none_is_refused_and_leaves_no_trace(h: Harness) -> None:
    texts = cold(h, misnamed.sync.trigger())
    assert all("1 to 128 characters" in text for text in texts)
    assert len(texts) == 3


# Functions of all kinds.


class Tool:
    def __init__(self, n: int) -> None:
        self.n = n

    def method(self, m: int) -> int:
        return self.n + m

    async def async_method(self, m: int) -> int:
        return self.n + m

    def __call__(self, m: int) -> int:
        return self.n * m

    @staticmethod
    def static(m: int) -> int:
        return -m

    @classmethod
    def of_class(cls, m: int) -> str:
        return f"{cls.__name__}{m}"


class AsyncTool:
    async def __call__(self, m: int, *, plus: int = 0) -> int:
        return m + plus


@task(id="s-callables", retry=once)
async def callables(ctx: Context) -> list[Any]:
    tool = Tool(3)
    return [
        await step("method", tool.method, 4),
        await step("async method", tool.async_method, 4),
        await step("object", tool, 4),
        await step("static", Tool.static, 4),
        await step("class method", Tool.of_class, 4),
        await step("async object", AsyncTool(), 4),
        await step("partial", functools.partial(AsyncTool(), plus=1), 4),
        await step("lambda of async", lambda: tool.async_method(5)),
        await step("builtin", max, 1, 9),
        await step("type", int, "12"),
    ]


def test_whatever_can_be_called_may_be_a_step(h: Harness) -> None:
    assert h.output(callables.sync.trigger()) == [7, 7, 12, -4, "Tool4", 4, 5, 8, 9, 12]


@task(id="s-threads", retry=once)
async def threads(ctx: Context) -> list[Any]:
    loop_thread = threading.get_ident()
    plain = await step("plain", threading.get_ident)

    async def here() -> int:
        return threading.get_ident()

    return [plain != loop_thread, await step("async", here) == loop_thread, ctx.run.id == await step("id", _run_id)]


def _run_id() -> str:
    from detent.sdk.current import active_run

    return active_run("a test").ctx.run.id


def test_a_plain_function_runs_beside_the_loop_and_still_knows_its_run(h: Harness) -> None:
    assert h.output(threads.sync.trigger()) == [True, True, True]


# Side by side.


@task(id="s-gathered", retry=once)
async def gathered(ctx: Context) -> list[int]:
    barrier = threading.Barrier(3)

    def meet(n: int) -> int:
        calls.append(n)
        barrier.wait(10)
        return n

    got = await asyncio.gather(*(step("meet", meet, n) for n in range(3)))
    seen.append(got)
    await wait.for_(hours=1)
    return got


def test_steps_of_a_gather_run_at_once_and_keep_their_own_results(h: Harness) -> None:
    assert cold(h, gathered.sync.trigger()) == [0, 1, 2]
    assert sorted(calls) == [0, 1, 2]
    assert seen == [[0, 1, 2]] * 2


@task(id="s-in-a-thread", retry=once)
async def in_a_thread(ctx: Context) -> list[Any]:
    def work() -> list[Any]:
        return [step_sync("inner", lambda n=n: calls.append(n) or n) for n in range(3)]

    got = await asyncio.to_thread(work)
    seen.append(got)
    await wait.for_(hours=1)
    return got


def test_steps_of_a_helper_thread_are_kept_too(h: Harness) -> None:
    assert cold(h, in_a_thread.sync.trigger()) == [0, 1, 2]
    assert calls == [0, 1, 2]
    assert seen == [[0, 1, 2]] * 2


async def _sleeps() -> str:
    calls.append("sleeps")
    await asyncio.sleep(5)
    return "slept"


@task(id="s-timed-out", retry=once)
async def timed_out(ctx: Context) -> str:
    try:
        async with asyncio.timeout(0.05):
            await step("sleeps", _sleeps)
    except TimeoutError:
        seen.append("timeout")
    await step("after", calls.append, "after")
    await wait.for_(hours=1)
    return "went on"


def test_a_step_that_was_given_up_is_given_up_again(h: Harness) -> None:
    handle = timed_out.sync.trigger()
    while not seen:
        pass
    assert cold(h, handle) == "went on"
    assert seen == ["timeout"] * 2
    assert calls == ["sleeps", "after"]
