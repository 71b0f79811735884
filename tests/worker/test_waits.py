"""Waits for time, as the code of a task sees them: warm at the very next line, cold from the journal."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.worker.elsewhere import entries, go_elsewhere, kinds, parked

from detent import Context, Retry, queue, task, wait
from detent.client import Detent
from detent.sdk.result import RunHandle
from detent.sync import wait as wait_sync
from detent.testing import Harness, harness

once = Retry(max_attempts=1)
seen: list[Any] = []


@pytest.fixture
def h() -> Iterator[Harness]:
    seen.clear()
    with harness() as made:
        yield made


def hours(h: Harness, start: int) -> float:
    return (h.clock.now() - start) / 3_600_000


# An hour.


@task(id="w-hour", retry=once)
async def hour(ctx: Context) -> str:
    seen.append("before")
    await wait.for_(hours=1)
    seen.append("after")
    return "rested"


@task(id="w-hour-plain", retry=once)
def hour_plain(ctx: Context) -> str:
    seen.append("before")
    wait_sync.for_(hours=1)
    seen.append("after")
    return "rested"


both = pytest.mark.parametrize("made", [hour, hour_plain])


@both
def test_a_run_that_waits_an_hour_goes_on_at_the_next_line_after_an_hour(h: Harness, made: Any) -> None:
    start = h.clock.now()
    handle = made.sync.trigger()
    parked(h, handle)
    h.advance("59m 59s")
    assert h.run(handle).status == "WAITING"
    h.advance("1s")
    assert (h.run(handle).status, h.run(handle).output) == ("COMPLETED", "rested")
    assert seen == ["before", "after"]
    assert hours(h, start) == 1
    assert kinds(h, handle) == ["trigger", "claim", "park", "resume", "claim", "finish"]


@both
def test_a_wait_that_loses_its_worker_ends_when_it_was_to_end(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    h.advance("30m")
    go_elsewhere(h)
    h.advance("29m")
    assert h.run(handle).status == "WAITING"
    h.advance("1m")
    assert h.run(handle).output == "rested"
    assert seen == ["before", "before", "after"]


@both
def test_a_wait_that_ended_while_no_worker_lived_is_not_sat_out_again(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    h.engine.lose_worker(h.workers[0].worker_id, "killed by the test")
    h._move(h.clock.now() + 7_200_000)
    start = h.clock.now()
    h.start_worker()
    h.drain(advance=False)
    assert h.run(handle).output == "rested"
    assert hours(h, start) == 0


@both
def test_with_two_workers_a_parked_run_goes_on_where_its_frame_is(h: Harness, made: Any) -> None:
    handles = [made.sync.trigger() for _ in range(6)]
    h.drain(advance=False)
    h.start_worker()
    h.drain()
    assert [h.run(handle).output for handle in handles] == ["rested"] * 6
    assert seen.count("before") == seen.count("after") == 6
    for handle in handles:
        claims = [row["worker_id"] for row in h.store.read("list_events", run_id=handle.id) if row["kind"] == "claim"]
        assert claims == [h.workers[0].worker_id] * 2


@task(id="w-many", retry=once)
async def many(ctx: Context) -> int:
    seen.append("before")
    for _ in range(3):
        await wait.for_(minutes=10)
        seen.append("next")
    return len(seen)


def test_a_run_that_went_cold_is_warm_again_at_its_new_worker(h: Harness) -> None:
    handle = many.sync.trigger()
    parked(h, handle)
    h.advance("10m")
    go_elsewhere(h)
    h.drain()
    assert h.run(handle).status == "COMPLETED"
    assert seen == ["before", "next", "before", "next", "next", "next"]


# Other lengths.


@task(id="w-until", retry=once)
async def until(moment: str, ctx: Context) -> str:
    await wait.until(moment)
    return ctx.now().isoformat()


@task(id="w-until-plain", retry=once)
def until_plain(moment: str, ctx: Context) -> str:
    wait_sync.until(datetime.fromisoformat(moment))
    return ctx.now().isoformat()


@pytest.mark.parametrize("made", [until, until_plain])
def test_a_run_waits_until_a_moment_and_not_for_one_that_is_past(h: Harness, made: Any) -> None:
    handle = made.sync.trigger("2026-01-01T07:30:00+02:00")
    assert h.output(handle) == "2026-01-01T05:30:00+00:00"
    past = made.sync.trigger("2025-12-31T00:00:00+00:00")
    assert h.output(past) == "2026-01-01T05:30:00+00:00"
    assert "park" not in kinds(h, past)


@task(id="w-tomorrow", retry=once)
async def tomorrow(ctx: Context) -> float:
    start = ctx.now()
    await wait.until(start + timedelta(days=1))
    return (ctx.now() - start).total_seconds()


def test_a_moment_counted_from_the_time_of_the_run_is_reached(h: Harness) -> None:
    assert h.output(tomorrow.sync.trigger()) == 86_400


@task(id="w-units", retry=once)
async def units(ctx: Context) -> float:
    start = ctx.now()
    await wait.for_(weeks=1, days=1, hours=1, minutes=1, seconds=1.5)
    await wait.for_("1h30m")
    await wait.for_(timedelta(minutes=30))
    await wait.for_(90)
    return (ctx.now() - start).total_seconds()


def test_units_add_up_and_text_timedeltas_and_seconds_are_lengths_too(h: Harness) -> None:
    assert h.output(units.sync.trigger()) == 8 * 86_400 + 3600 + 61.5 + 5400 + 1800 + 90


@task(id="w-short", retry=once)
async def short(ctx: Context) -> float:
    start = ctx.now()
    await wait.for_(seconds=4.9)
    await wait.for_(0)
    await wait.until(ctx.now() + timedelta(seconds=3))
    return (ctx.now() - start).total_seconds()


@task(id="w-short-plain", retry=once)
def short_plain(ctx: Context) -> float:
    start = ctx.now()
    wait_sync.for_(seconds=4.9)
    wait_sync.for_(0)
    wait_sync.until(ctx.now() + timedelta(seconds=3))
    return (ctx.now() - start).total_seconds()


@pytest.mark.parametrize("made", [short, short_plain])
def test_a_wait_under_five_seconds_keeps_its_slot_and_writes_nothing(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    assert h.output(handle) == pytest.approx(7.9)
    assert "park" not in kinds(h, handle)
    assert {entry["kind"] for entry in entries(h, handle)} <= {"value"}


# Around waits.


@task(id="w-unwinding", retry=once)
async def unwinding(ctx: Context) -> list[str]:
    try:
        try:
            await wait.for_(hours=1)
            raise ValueError("after the wait")
        except ValueError as error:
            seen.append("except")
            await wait.for_(hours=1)
            note = str(error)
        finally:
            seen.append("finally")
            await wait.for_(hours=1)
    finally:
        seen.append("outer")
    return [note]


@task(id="w-unwinding-plain", retry=once)
def unwinding_plain(ctx: Context) -> list[str]:
    try:
        try:
            wait_sync.for_(hours=1)
            raise ValueError("after the wait")
        except ValueError as error:
            seen.append("except")
            wait_sync.for_(hours=1)
            note = str(error)
        finally:
            seen.append("finally")
            wait_sync.for_(hours=1)
    finally:
        seen.append("outer")
    return [note]


@pytest.mark.parametrize("made", [unwinding, unwinding_plain])
def test_waits_in_except_and_finally_go_on_there(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    assert h.output(handle) == ["after the wait"]
    assert seen == ["except", "finally", "outer"]


@pytest.mark.parametrize("made", [unwinding, unwinding_plain])
def test_a_run_that_is_lost_in_a_finally_comes_back_into_it(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    parked(h, handle)
    h.advance("2h")
    assert seen == ["except", "finally"]
    go_elsewhere(h)
    start = h.clock.now()
    assert h.output(handle) == ["after the wait"]
    assert hours(h, start) == 1
    assert seen == ["except", "finally", "except", "finally", "outer"]


@task(id="w-thousand", retry=once)
async def thousand(ctx: Context) -> int:
    for n in range(1000):
        await wait.for_(minutes=1)
        seen.append(n)
    return len(seen)


@task(id="w-thousand-plain", retry=once)
def thousand_plain(ctx: Context) -> int:
    for n in range(1000):
        wait_sync.for_(minutes=1)
        seen.append(n)
    return len(seen)


@pytest.mark.parametrize("made", [thousand, thousand_plain])
def test_a_loop_of_a_thousand_waits_runs_each_line_once(h: Harness, made: Any) -> None:
    handle = made.sync.trigger()
    assert h.output(handle) == 1000
    assert seen == list(range(1000))
    assert [entry["status"] for entry in entries(h, handle)] == ["ok"] * 1000


# Families.

narrow = queue("w-narrow", concurrency_limit=1)


@task(id="w-nested", queue=narrow, retry=once)
async def nested(depth: int, ctx: Context) -> int:
    seen.append(depth)
    await wait.for_(hours=1)
    below = await nested.trigger_and_wait(depth - 1).unwrap() if depth else 0
    await wait.for_(hours=1)
    return below + 1


@task(id="w-nested-plain", queue=narrow, retry=once)
def nested_plain(depth: int, ctx: Context) -> int:
    seen.append(depth)
    wait_sync.for_(hours=1)
    below = nested_plain.sync.trigger_and_wait(depth - 1).unwrap() if depth else 0
    wait_sync.for_(hours=1)
    return below + 1


@pytest.mark.parametrize("made", [nested, nested_plain])
def test_children_that_wait_inside_parents_that_wait_need_one_slot(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(5)
    assert h.output(handle) == 6
    assert seen == [5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize("made", [nested, nested_plain])
def test_a_family_that_is_lost_in_the_middle_ends_as_if_nothing_had_happened(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(3)
    parked(h, handle)
    h.advance("3h 30m")
    go_elsewhere(h)
    start = h.clock.now()
    assert h.output(handle) == 4
    assert hours(h, start) == 4.5


# Cancelled and timed out.

left = threading.Event()


@task(id="w-cancelled", retry=once)
async def cancelled(ctx: Context) -> None:
    try:
        await wait.for_(hours=1)
        seen.append("went on")
    finally:
        left.set()


@task(id="w-cancelled-plain", retry=once)
def cancelled_plain(ctx: Context) -> None:
    try:
        wait_sync.for_(hours=1)
        seen.append("went on")
    finally:
        left.set()


@pytest.mark.parametrize("made", [cancelled, cancelled_plain])
def test_a_run_that_is_cancelled_while_it_waits_ends_at_once_and_unwinds(h: Harness, made: Any) -> None:
    left.clear()
    handle = made.sync.trigger()
    parked(h, handle)
    assert Detent(h.transport).runs.cancel(handle.id, "not wanted") == "CANCELED"
    assert left.wait(5)
    start = h.clock.now()
    h.drain()
    assert (h.run(handle).status, seen) == ("CANCELED", [])
    assert hours(h, start) == 0
    assert h.store.read("list_due_waits", now=h.clock.now() + 10**10, n=10) == []


@task(id="w-patient", max_duration=10, retry=once)
async def patient(seconds: float, ctx: Context) -> str:
    await wait.for_(seconds)
    for _ in range(3):
        await wait.for_(days=30)
    return "done"


@task(id="w-patient-plain", max_duration=10, retry=once)
def patient_plain(seconds: float, ctx: Context) -> str:
    wait_sync.for_(seconds)
    for _ in range(3):
        wait_sync.for_(days=30)
    return "done"


@pytest.mark.parametrize("made", [patient, patient_plain])
def test_only_the_time_of_executing_counts_for_max_duration(h: Harness, made: Any) -> None:
    handle = made.sync.trigger(4)
    assert h.output(handle) == "done"
    spent = made.sync.trigger(4, max_duration=3)
    h.drain()
    assert h.run(spent).status == "TIMED_OUT"


# Attempts.


@task(id="w-retried", retry=Retry(max_attempts=3, randomize=False))
async def retried(ctx: Context) -> list[Any]:
    seen.append((str(ctx.uuid()), ctx.random(), ctx.now().isoformat()))
    await wait.for_(hours=1)
    if ctx.attempt.number < 3:
        raise ValueError("again")
    return [ctx.attempt.number]


@task(id="w-retried-plain", retry=Retry(max_attempts=3, randomize=False))
def retried_plain(ctx: Context) -> list[Any]:
    seen.append((str(ctx.uuid()), ctx.random(), ctx.now().isoformat()))
    wait_sync.for_(hours=1)
    if ctx.attempt.number < 3:
        raise ValueError("again")
    return [ctx.attempt.number]


@pytest.mark.parametrize("made", [retried, retried_plain])
def test_a_wait_that_was_over_is_not_waited_again_in_a_later_attempt(h: Harness, made: Any) -> None:
    start = h.clock.now()
    handle = made.sync.trigger()
    assert h.output(handle) == [3]
    assert hours(h, start) < 1.01
    assert len(seen) == 3
    assert len(set(seen)) == 1


# Keys and tags.


@task(id="w-keyed", retry=once)
async def keyed(key: str, ctx: Context) -> float:
    start = ctx.now()
    await wait.for_(hours=1, idempotency_key=key, tags=["cool-down", key])
    return (ctx.now() - start).total_seconds()


@task(id="w-keyed-plain", retry=once)
def keyed_plain(key: str, ctx: Context) -> float:
    start = ctx.now()
    wait_sync.for_(hours=1, idempotency_key=key, tags=["cool-down", key])
    return (ctx.now() - start).total_seconds()


@pytest.mark.parametrize("made", [keyed, keyed_plain])
def test_waits_with_the_same_key_are_one_wait(h: Harness, made: Any) -> None:
    first = made.sync.trigger("k")
    parked(h, first)
    h.advance("20m")
    second, other = made.sync.trigger("k"), made.sync.trigger("o")
    h.drain()
    assert [h.run(handle).output for handle in (first, second, other)] == [3600, 2400, 3600]
    late = made.sync.trigger("k")
    assert h.output(late) == 0


@pytest.mark.parametrize("made", [keyed, keyed_plain])
def test_a_keyed_wait_that_loses_its_worker_is_still_the_same_wait(h: Harness, made: Any) -> None:
    first, second = made.sync.trigger("k"), made.sync.trigger("k")
    parked(h, first)
    parked(h, second)
    h.advance("50m")
    go_elsewhere(h)
    start = h.clock.now()
    assert (h.output(first), h.output(second)) == (3600, 3600)
    assert hours(h, start) == pytest.approx(1 / 6)


@task(id="w-short-keyed", retry=once)
async def short_keyed(ctx: Context) -> float:
    start = ctx.now()
    await wait.for_(seconds=2, idempotency_key="short")
    return (ctx.now() - start).total_seconds()


def test_a_short_wait_with_a_key_is_kept(h: Harness) -> None:
    first = short_keyed.sync.trigger()
    assert h.output(first) == 2
    assert h.output(short_keyed.sync.trigger()) == 0


# In helpers.


@task(id="w-helper", retry=once)
async def helper(ctx: Context) -> str:
    await asyncio.to_thread(wait_sync.for_, hours=1)
    return "helped"


def test_a_helper_thread_of_an_async_task_may_wait_too(h: Harness) -> None:
    handle = helper.sync.trigger()
    assert h.output(handle) == "helped"


def test_a_helper_thread_that_waits_is_replayed(h: Harness) -> None:
    handle = helper.sync.trigger()
    h.drain(advance=False)
    go_elsewhere(h)
    start = h.clock.now()
    assert h.output(handle) == "helped"
    assert hours(h, start) <= 1


@task(id="w-abandons-helper", retry=once)
async def abandons_helper(ctx: Context) -> str:
    try:
        await asyncio.wait_for(asyncio.to_thread(_waits_in_helper), 0.05)
    except TimeoutError:
        return "went on"
    return "unreached"


def _waits_in_helper() -> None:
    try:
        wait_sync.for_(hours=1)
    finally:
        left.set()


def test_a_helper_thread_that_waits_is_not_left_behind_by_its_run(h: Harness) -> None:
    left.clear()
    handle = abandons_helper.sync.trigger()
    assert h.output(handle) == "went on"
    assert left.wait(5)


@task(id="w-own-loop", retry=once)
def own_loop(ctx: Context) -> str:
    seen.append("before")
    asyncio.run(_pair())
    return "looped"


async def _pair() -> None:
    await asyncio.gather(wait.for_(hours=1), wait.for_(hours=2))


def test_a_plain_task_may_wait_on_a_loop_of_its_own(h: Harness) -> None:
    start = h.clock.now()
    handle = own_loop.sync.trigger()
    assert h.output(handle) == "looped"
    assert hours(h, start) == 2
    assert seen == ["before"]


def test_utc_is_what_ctx_now_gives(h: Harness) -> None:
    handle: RunHandle = until.sync.trigger("2025-01-01T00:00:00Z")
    assert datetime.fromisoformat(h.output(handle)).tzinfo == UTC
