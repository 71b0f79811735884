"""A run that runs again, after a failed attempt or a lost worker, finds what it had started."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator

import pytest

from detent import Context, Retry, idempotency_keys, step, task, wait
from detent.testing import Harness, harness

thrice = Retry(max_attempts=3, randomize=False)
effects: list[object] = []
entered = threading.Event()
go_on = threading.Event()


@pytest.fixture
def h() -> Iterator[Harness]:
    effects.clear()
    entered.clear()
    go_on.clear()
    with harness() as made:
        yield made
        go_on.set()


@task(id="effect", retry=Retry(max_attempts=1))
async def effect(name: str, ctx: Context) -> str:
    effects.append(name)
    if name == "weak" and effects.count("weak") == 1:
        raise ValueError("weak")
    return ctx.run.id


@task(id="tries-again", retry=thrice)
async def tries_again(_: None, ctx: Context) -> list[str]:
    one = await effect.trigger_and_wait("one").unwrap()
    batch = await effect.batch_trigger_and_wait(["two", "weak"])
    fired = await effect.trigger("fired")
    return [one, *batch.unwrap(), fired.id]


@task(id="tries-again-plain", retry=thrice)
def tries_again_plain(_: None, ctx: Context) -> list[str]:
    one = effect.sync.trigger_and_wait("one").unwrap()
    batch = effect.sync.batch_trigger_and_wait(["two", "weak"])
    fired = effect.sync.trigger("fired")
    return [one, *batch.unwrap(), fired.id]


@pytest.mark.parametrize("made", [tries_again, tries_again_plain])
def test_a_retried_parent_finds_its_completed_children_and_makes_the_failed_ones_anew(h: Harness, made) -> None:
    handle = made.sync.trigger(None)
    ids = h.output(handle)
    assert sorted(map(str, effects)) == ["fired", "one", "two", "weak", "weak"]
    assert len(set(ids)) == 4
    assert h.run(handle).attempt == 2


@task(id="keyed")
async def keyed(_: None, ctx: Context) -> list[str]:
    ids = []
    for scope in ("run", "attempt", "global"):
        key = idempotency_keys.create(["k", scope], scope=scope)
        ids.append((await effect.trigger(scope, idempotency_key=key)).id)
        ids.append((await effect.trigger(scope, idempotency_key=key)).id)
    return ids


def test_scopes_of_idempotency_keys_tell_runs_apart_unless_global(h: Harness) -> None:
    first, second = h.output(keyed.sync.trigger(None)), h.output(keyed.sync.trigger(None))
    assert [first[0] == first[1], first[2] == first[3], first[4] == first[5]] == [True, True, True]
    assert [first[0] == second[0], first[2] == second[2], first[4] == second[4]] == [False, False, True]
    assert sorted(map(str, effects)) == ["attempt", "attempt", "global", "run", "run"]


@task(id="slow-effect")
async def slow_effect(n: int) -> int:
    entered.set()
    await asyncio.to_thread(go_on.wait)
    effects.append(n)
    return n


starts: list[int] = []


@task(id="waits")
async def waits(_: None, ctx: Context) -> int:
    effects.append("start")
    return sum(await slow_effect.batch_trigger_and_wait([1, 2]).unwrap())


@task(id="waits-plain")
def waits_plain(_: None, ctx: Context) -> int:
    effects.append("start")
    return sum(result.unwrap() for result in slow_effect.sync.batch_trigger_and_wait([1, 2]))


def lose(h: Harness, index: int) -> None:
    h.engine.lose_worker(h.workers[index].worker_id, "killed by the test")


@pytest.mark.parametrize("made", [waits, waits_plain])
def test_a_parent_whose_worker_is_lost_while_it_waits_finds_the_same_children_elsewhere(h: Harness, made) -> None:
    handle = made.sync.trigger(None)
    assert entered.wait(10)
    while h.run(handle).status != "WAITING":
        pass
    before = {child.id for child in h.run(handle).children}
    h.start_worker()
    lose(h, 0)
    go_on.set()
    assert h.output(handle) == 3
    assert {child.id for child in h.run(handle).children} == before
    assert effects.count("start") == 2


zombie_writes: list[str] = []
unwound = threading.Event()


@task(id="zombie")
async def zombie(_: None, ctx: Context) -> str:
    if ctx.attempt.crashes == 0:
        entered.set()
        try:
            await asyncio.to_thread(go_on.wait)
            await effect.trigger("of the zombie")
        except BaseException as error:
            zombie_writes.append(type(error).__name__)
            raise
        finally:
            unwound.set()
    return "second life"


@task(id="zombie-plain")
def zombie_plain(_: None, ctx: Context) -> str:
    if ctx.attempt.crashes == 0:
        entered.set()
        try:
            go_on.wait()
            effect.sync.trigger("of the zombie")
        except BaseException as error:
            zombie_writes.append(type(error).__name__)
            raise
        finally:
            unwound.set()
    return "second life"


@task(id="zombie-ends")
async def zombie_ends(_: None, ctx: Context) -> str:
    if ctx.attempt.crashes == 0:
        entered.set()
        try:
            await asyncio.to_thread(go_on.wait)
        finally:
            unwound.set()
        return "first life"
    return "second life"


@pytest.mark.parametrize("made", [zombie, zombie_plain, zombie_ends])
def test_the_zombie_of_a_lost_worker_can_write_nothing_and_unwinds(h: Harness, made) -> None:
    unwound.clear()
    zombie_writes.clear()
    handle = made.sync.trigger(None)
    assert entered.wait(10)
    h.start_worker()
    lose(h, 0)
    assert h.output(handle) == "second life"
    go_on.set()
    assert unwound.wait(10)
    h.drain()
    assert h.run(handle).output == "second life"
    assert effects == []
    # The worker may have heard before: then the run was cancelled where it stood.
    assert zombie_writes in ([[]] if made is zombie_ends else [["LeaseLost"], ["CancelledError"]])


turns: dict[str, int] = {}


@task(id="turncoat")
async def turncoat(name: str) -> None:
    turns[name] = turns.get(name, 0) + 1
    if turns[name] == 1:
        await slow_effect.trigger_and_wait(1)
    else:
        await effect.trigger_and_wait("another")


def test_a_run_that_goes_another_way_than_before_is_paused_with_both_ways_named(h: Harness) -> None:
    handle = turncoat.sync.trigger("t")
    assert entered.wait(10)
    while h.run(handle).status != "WAITING":
        pass
    h.start_worker()
    lose(h, 0)
    go_on.set()
    h.drain()
    assert h.run(handle).status == "WAITING"
    [row] = h.store.read("find_run", id=handle.id)
    paused = json.loads(row["paused"])
    assert (paused["reason"], paused["key"]) == ("journal_mismatch", "trigger#1")
    assert (paused["expected"], paused["received"]) == ("trigger 'slow-effect'", "trigger 'effect'")


attempts: list[int] = []


@task(id="two-ways", retry=Retry(max_attempts=2, min_timeout=0))
async def two_ways(_: None, ctx: Context) -> list[int]:
    attempts.append(ctx.attempt.number)
    kept = [await step("kept", lambda: len(attempts))]
    if ctx.attempt.number == 1:
        await effect.trigger_and_wait("one")
        await wait.for_(hours=1)
        raise ValueError("another attempt goes another way")
    kept.append(await step("new", lambda: len(attempts)))
    await effect.trigger_and_wait("one")
    await wait.for_(hours=2)
    return [*kept, await step("last", lambda: len(attempts))]


@pytest.mark.parametrize("replay", ["never", "always"])
def test_a_later_attempt_that_goes_another_way_is_replayed_as_it_went(replay: str) -> None:
    """Given steps of attempt 1 that attempt 2 finds again, in another order and between new ones, when attempt 2 is
    replayed, then nothing is taken for a mismatch and no step runs twice."""
    attempts.clear()
    effects.clear()
    with harness(replay=replay) as made:
        output = made.output(two_ways.sync.trigger(None))
    assert output[0] == 1
    assert effects == ["one"]
    assert output[1] == attempts.index(2) + 1


def done(name: str) -> str:
    effects.append(name)
    return name


@task(id="steps-again", retry=thrice)
async def steps_again(_: None, ctx: Context) -> list[str]:
    first = await step("first", done, "first")
    if ctx.attempt.number == 1:
        raise ValueError("not yet")
    last = await step("last", done, "last")
    if ctx.attempt.crashes == 0:
        entered.set()
        await asyncio.to_thread(go_on.wait)
    return [first, last]


@task(id="steps-again-plain", retry=thrice)
def steps_again_plain(_: None, ctx: Context) -> list[str]:
    first = step.sync("first", done, "first")
    if ctx.attempt.number == 1:
        raise ValueError("not yet")
    last = step.sync("last", done, "last")
    if ctx.attempt.crashes == 0:
        entered.set()
        go_on.wait()
    return [first, last]


@pytest.mark.parametrize("made", [steps_again, steps_again_plain])
def test_a_later_attempt_whose_worker_is_lost_finds_the_steps_of_all_attempts(h: Harness, made) -> None:
    """Given a step of a first attempt and one of the second, when the worker of the second is lost, then the third
    execution finds both, in an order in which no journal has them."""
    handle = made.sync.trigger(None)
    drained = threading.Thread(target=h.drain)
    drained.start()
    assert entered.wait(10)
    h.start_worker()
    lose(h, 0)
    go_on.set()
    drained.join(30)
    assert h.output(handle) == ["first", "last"]
    assert effects == ["first", "last"]
