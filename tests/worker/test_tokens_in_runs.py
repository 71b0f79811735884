"""Tokens as runs use them: made, waited for, completed, also when the run is executed again."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import BaseModel
from tests.worker.elsewhere import entries, go_elsewhere, kinds, parked

from detent import Context, Retry, Token, idempotency_keys, task, tasks, wait
from detent.client import Detent
from detent.errors import Conflict, DetentError, NotFound, WaitTimedOut
from detent.model.options import IdempotencyKey
from detent.sync import tasks as tasks_sync
from detent.sync import wait as wait_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
seen: list[Any] = []


@pytest.fixture
def h() -> Iterator[Harness]:
    seen.clear()
    with harness() as made:
        yield made


@pytest.fixture
def client(h: Harness) -> Detent:
    return Detent(h.transport)


@task(id="t-asks", retry=once)
async def asks(options: dict[str, Any], ctx: Context) -> list[Any]:
    token = await wait.create_token(**options)
    seen.append(token.id)
    answer = await wait.for_token(token)
    seen.append(answer.ok)
    return [answer.ok, answer.output, answer.error.code if answer.error else None]


@task(id="t-asks-plain", retry=once)
def asks_plain(options: dict[str, Any], ctx: Context) -> list[Any]:
    token = wait_sync.create_token(**options)
    seen.append(token.id)
    answer = wait_sync.for_token(token)
    seen.append(answer.ok)
    return [answer.ok, answer.output, answer.error.code if answer.error else None]


asking = pytest.mark.parametrize("made", [asks, asks_plain])
cold = pytest.mark.parametrize("is_cold", [False, True], ids=["warm", "cold"])


@asking
@cold
def test_a_run_goes_on_with_what_its_token_is_completed_with(
    h: Harness, client: Detent, made: Any, is_cold: bool
) -> None:
    handle = made.sync.trigger({})
    parked(h, handle)
    if is_cold:
        go_elsewhere(h)
    client.tokens.complete(seen[0], {"approved": True, "by": None})
    assert h.output(handle) == [True, {"approved": True, "by": None}, None]
    assert seen == ([seen[0], seen[0], True] if is_cold else [seen[0], True])


@asking
def test_the_first_completion_counts_and_later_ones_are_told_so(h: Harness, client: Detent, made: Any) -> None:
    handle = made.sync.trigger({})
    parked(h, handle)
    client.tokens.complete(seen[0], "first")
    with pytest.raises(Conflict, match="first"):
        client.tokens.complete(seen[0], "second")
    assert h.output(handle)[1] == "first"
    with pytest.raises(Conflict):
        client.tokens.complete(seen[0], "third")


@asking
@cold
def test_a_token_that_times_out_ends_the_wait_for_it(h: Harness, client: Detent, made: Any, is_cold: bool) -> None:
    handle = made.sync.trigger({"timeout": "1h"})
    parked(h, handle)
    if is_cold:
        go_elsewhere(h)
    h.advance("59m")
    assert h.run(handle).status == "WAITING"
    h.advance("1m")
    assert h.run(handle).output == [False, None, "wait_timed_out"]
    with pytest.raises(Conflict, match="timed out"):
        client.tokens.complete(seen[0], "too late")


@task(id="t-awaits", retry=once)
async def awaits(options: dict[str, Any], ctx: Context) -> Any:
    start = ctx.now()
    answer = await wait.for_token(**options)
    seen.append(answer.ok)
    await wait.for_(hours=1)
    return [answer.ok, answer.output, (ctx.now() - start).total_seconds()]


@task(id="t-awaits-plain", retry=once)
def awaits_plain(options: dict[str, Any], ctx: Context) -> Any:
    start = ctx.now()
    answer = wait_sync.for_token(**options)
    seen.append(answer.ok)
    wait_sync.for_(hours=1)
    return [answer.ok, answer.output, (ctx.now() - start).total_seconds()]


awaiting = pytest.mark.parametrize("made", [awaits, awaits_plain])


@awaiting
@cold
def test_a_token_that_was_completed_before_is_not_waited_for(
    h: Harness, client: Detent, made: Any, is_cold: bool
) -> None:
    token = client.tokens.create()
    client.tokens.complete(token.id, 0)
    handle = made.sync.trigger({"id": token.id})
    parked(h, handle)
    if is_cold:
        go_elsewhere(h)
    assert h.output(handle) == [True, 0, 3600]


@awaiting
@cold
def test_a_wait_that_gives_up_leaves_the_token_as_it_is(h: Harness, client: Detent, made: Any, is_cold: bool) -> None:
    token = client.tokens.create(timeout="10h")
    handle = made.sync.trigger({"id": token.id, "timeout": "30m"})
    parked(h, handle)
    h.advance("30m")
    assert seen == [False]
    assert client.tokens.retrieve(token.id).status == "WAITING"
    client.tokens.complete(token.id, "late")
    if is_cold:
        go_elsewhere(h)
    assert h.output(handle) == [False, None, 5400]
    assert client.tokens.retrieve(token.id).output == "late"


@awaiting
def test_of_two_time_outs_the_earlier_one_ends_the_wait(h: Harness, client: Detent, made: Any) -> None:
    token = client.tokens.create(timeout="10m")
    assert h.output(made.sync.trigger({"id": token.id, "timeout": "5h"})) == [False, None, 600 + 3600]
    assert client.tokens.retrieve(token.id).status == "TIMED_OUT"


@awaiting
def test_a_wait_of_no_length_only_looks(h: Harness, client: Detent, made: Any) -> None:
    token = client.tokens.create()
    assert h.output(made.sync.trigger({"id": token.id, "timeout": 0})) == [False, None, 3600]
    client.tokens.complete(token.id, None)
    assert h.output(made.sync.trigger({"id": token.id, "timeout": 0})) == [True, None, 3600]


@awaiting
def test_all_runs_that_wait_for_a_token_go_on_and_a_cancelled_one_is_left_alone(
    h: Harness, client: Detent, made: Any
) -> None:
    token = client.tokens.create()
    handles = [made.sync.trigger({"id": token.id}) for _ in range(7)]
    for handle in handles:
        parked(h, handle)
    client.runs.cancel(handles[3].id)
    client.tokens.complete(token.id, "all")
    h.drain()
    assert [h.run(handle).status for handle in handles] == ["COMPLETED"] * 3 + ["CANCELED"] + ["COMPLETED"] * 3
    assert {h.run(handle).output[1] for handle in handles if h.run(handle).output} == {"all"}


@asking
@cold
def test_a_large_output_comes_whole(h: Harness, client: Detent, made: Any, is_cold: bool) -> None:
    handle = made.sync.trigger({})
    parked(h, handle)
    if is_cold:
        go_elsewhere(h)
    text = "é" * 200_000
    client.tokens.complete(seen[0], text)
    assert h.output(handle)[1] == text


# Keys.


@task(id="t-keyed", retry=once)
async def keyed(ctx: Context) -> list[Any]:
    first = await wait.create_token(idempotency_key="order-7", tags="orders")
    second = await wait.create_token(idempotency_key="order-7")
    seen.append((first.is_cached, second.is_cached, first.id == second.id))
    await wait.for_(hours=1)
    return [first.id, first.is_cached, second.is_cached]


@task(id="t-keyed-plain", retry=once)
def keyed_plain(ctx: Context) -> list[Any]:
    first = wait_sync.create_token(idempotency_key="order-7", tags="orders")
    second = wait_sync.create_token(idempotency_key="order-7")
    seen.append((first.is_cached, second.is_cached, first.id == second.id))
    wait_sync.for_(hours=1)
    return [first.id, first.is_cached, second.is_cached]


@pytest.mark.parametrize("made", [keyed, keyed_plain])
def test_a_token_with_a_key_is_made_once_for_all(h: Harness, client: Detent, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    go_elsewhere(h)
    token_id, *_ = h.output(handle)
    assert seen == [(False, True, True), (False, True, True)]
    assert h.output(made.sync.trigger()) == [token_id, True, True]
    assert [token.id for token in client.tokens.list(tag="orders")] == [token_id]


# Completed by runs.


@task(id="t-completes", retry=Retry(max_attempts=2, randomize=False))
async def completes(token_id: str, ctx: Context) -> str:
    await wait.complete_token(token_id, {"by": "a run"})
    seen.append("told")
    await wait.for_(hours=1)
    if ctx.attempt.number == 1:
        raise ValueError("again")
    return "done"


@task(id="t-completes-plain", retry=Retry(max_attempts=2, randomize=False))
def completes_plain(token_id: str, ctx: Context) -> str:
    wait_sync.complete_token(token_id, {"by": "a run"})
    seen.append("told")
    wait_sync.for_(hours=1)
    if ctx.attempt.number == 1:
        raise ValueError("again")
    return "done"


@pytest.mark.parametrize("made", [completes, completes_plain])
def test_a_run_that_completes_a_token_does_so_once(h: Harness, client: Detent, made: Any) -> None:
    token = client.tokens.create()
    waiting = awaits.sync.trigger({"id": token.id})
    parked(h, waiting)
    handle = made.sync.trigger(token.id)
    h.drain(advance=False)
    go_elsewhere(h)
    assert h.output(handle) == "done"
    assert h.run(waiting).output[:2] == [True, {"by": "a run"}]
    assert seen.count("told") == 3


@task(id="t-refused", retry=once)
async def refused(token_id: str, ctx: Context) -> str:
    try:
        await wait.complete_token(token_id, "mine")
    except Conflict as error:
        seen.append(str(error))
    await wait.for_(hours=1)
    return "went on"


def test_a_refused_completion_is_refused_in_the_same_words_after_a_crash(h: Harness, client: Detent) -> None:
    token = client.tokens.create()
    client.tokens.complete(token.id, "theirs")
    handle = refused.sync.trigger(token.id)
    parked(h, handle)
    go_elsewhere(h)
    assert h.output(handle) == "went on"
    assert len(seen) == 2
    assert len(set(seen)) == 1


# Errors that the code of a run takes, and what comes after them.


def used() -> IdempotencyKey:
    return idempotency_keys.create("used", scope="global")


@task(id="t-forgiving", retry=once)
async def forgiving(ctx: Context) -> list[str]:
    caught = []
    for attempt in (
        lambda: wait.for_token("waitpoint_0000000000000000000000000000000a"),
        lambda: wait.complete_token("waitpoint_0000000000000000000000000000000a"),
        lambda: tasks.trigger_and_wait("t-child", 1, idempotency_key=used()),
    ):
        try:
            await attempt()
        except DetentError as error:
            caught.append(error.code)
    seen.append("caught")
    await wait.for_(hours=1)
    return caught


@task(id="t-forgiving-plain", retry=once)
def forgiving_plain(ctx: Context) -> list[str]:
    caught = []
    for attempt in (
        lambda: wait_sync.for_token("waitpoint_0000000000000000000000000000000a"),
        lambda: wait_sync.complete_token("waitpoint_0000000000000000000000000000000a"),
        lambda: tasks_sync.trigger_and_wait("t-child", 1, idempotency_key=used()),
    ):
        try:
            attempt()
        except DetentError as error:
            caught.append(error.code)
    seen.append("caught")
    wait_sync.for_(hours=1)
    return caught


@task(id="t-child", retry=once)
async def child(n: int) -> int:
    return n


@pytest.mark.parametrize("made", [forgiving, forgiving_plain])
@cold
def test_a_run_that_takes_the_refusals_of_the_engine_goes_on_also_after_a_crash(
    h: Harness, made: Any, is_cold: bool
) -> None:
    tasks_sync.trigger("t-child", 2, idempotency_key=used())
    handle = made.sync.trigger()
    parked(h, handle)
    if is_cold:
        go_elsewhere(h)
    h.drain()
    assert h.run(handle).status == "COMPLETED", h.store.read("find_run", id=handle.id)[0]["paused"]
    assert h.run(handle).output == ["not_found", "not_found", "conflict"]


# Results.


class Answer(BaseModel):
    yes: bool
    why: str = "because"


@task(id="t-typed", retry=once)
async def typed(token_id: str, ctx: Context) -> list[str]:
    answer = await wait.for_token(token_id, returns=Answer).unwrap()
    seen.append(type(answer))
    await wait.for_(hours=1)
    return [answer.why]


def test_the_output_of_a_token_is_read_as_the_type_that_is_asked_for(h: Harness, client: Detent) -> None:
    token = client.tokens.create()
    client.tokens.complete(token.id, {"yes": True})
    handle = typed.sync.trigger(token.id)
    parked(h, handle)
    go_elsewhere(h)
    assert h.output(handle) == ["because"]
    assert seen == [Answer, Answer]


@task(id="t-unwrapped", retry=once)
async def unwrapped(ctx: Context) -> str:
    token = await wait.create_token(timeout="10m", tags=["a", "b"])
    assert isinstance(token, Token)
    assert token.tags == ("a", "b")
    try:
        await wait.for_token(token).unwrap()
    except WaitTimedOut as error:
        seen.append(str(error).replace(token.id, "it"))
    await wait.for_(hours=1)
    return (await wait.retrieve_token(token.id)).status


def test_unwrap_raises_for_a_token_that_timed_out(h: Harness) -> None:
    handle = unwrapped.sync.trigger()
    parked(h, handle)
    h.advance("10m")
    go_elsewhere(h)
    assert h.output(handle) == "TIMED_OUT"
    assert seen == ["token it was not completed in time"] * 2


@task(id="t-racing", retry=once)
async def racing(ctx: Context) -> list[Any]:
    tokens = [await wait.create_token(tags="race") for _ in range(3)]
    waits = [asyncio.create_task(wait.for_token(token).unwrap()) for token in tokens]
    done, pending = await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    for one in pending:
        one.cancel()
    winner = done.pop()
    index = waits.index(winner)
    await wait.for_(hours=1)
    return [index, winner.result()]


@cold
def test_the_first_of_three_tokens_wins_and_stays_the_winner(h: Harness, client: Detent, is_cold: bool) -> None:
    handle = racing.sync.trigger()
    parked(h, handle)
    tokens = sorted(token.id for token in client.tokens.list(tag="race"))
    made = [entry for entry in entries(h, handle) if entry["kind"] == "token"]
    client.tokens.complete(made[1]["target"], "won")
    parked(h, handle)
    for token_id in tokens:
        if token_id != made[1]["target"]:
            client.tokens.complete(token_id, "lost")
    if is_cold:
        go_elsewhere(h)
    assert h.output(handle) == [1, "won"]


def test_tokens_are_made_and_completed_outside_of_runs_too(h: Harness) -> None:
    token = wait_sync.create_token(tags="outside")
    wait_sync.complete_token(token, [1])
    assert wait_sync.retrieve_token(token.id).output == [1]
    assert [found.id for found in wait_sync.list_tokens(tag="outside")] == [token.id]
    with pytest.raises(NotFound):
        wait_sync.complete_token("waitpoint_0000000000000000000000000000000a")


def test_tokens_are_made_and_completed_outside_of_runs_with_await(h: Harness) -> None:
    async def use() -> None:
        token = await wait.create_token(tags="outside")
        await wait.complete_token(token.id, [2])
        assert (await wait.retrieve(token.id)).output == [2]
        assert [found.id async for found in wait.list(tag="outside")] == [token.id]

    asyncio.run(use())


@task(id="t-one-of-many", retry=once)
async def one_of_many(ctx: Context) -> list[str]:
    tokens = [await wait.create_token() for _ in range(3)]
    seen.append([token.id for token in tokens])
    await wait.for_(hours=1)
    return [token.id for token in tokens]


def test_tokens_of_a_loop_are_different_ones_and_the_same_ones_again(h: Harness) -> None:
    handle = one_of_many.sync.trigger()
    parked(h, handle)
    go_elsewhere(h)
    ids = h.output(handle)
    assert len(set(ids)) == 3
    assert seen == [ids, ids]
    assert kinds(h, handle).count("park") == 1
