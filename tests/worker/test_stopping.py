"""Cancel and time-out, as they reach runs in every state."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

import pytest
from tests.worker.elsewhere import kinds

from detent import Context, Retry, task, wait
from detent.client import Detent
from detent.model.protocol import Answer, Claimed
from detent.testing import Harness, harness
from detent.worker.link import Exchange


@pytest.fixture
def h() -> Iterator[Harness]:
    seen.clear()
    entered.clear()
    go_on.clear()
    left.clear()
    with harness(stop_grace=0.3) as made:
        yield made
        go_on.set()


seen: list[str] = []
entered = threading.Event()
go_on = threading.Event()
left = threading.Event()


def cancel(h: Harness, run_id: str, reason: str = "not wanted") -> str:
    return Detent(h.transport).runs.cancel(run_id, reason)


@task(id="late")
async def late() -> None:
    seen.append("ran")


def test_a_delayed_run_is_cancelled_without_running(h: Harness) -> None:
    handle = late.sync.trigger(delay="1h")
    assert cancel(h, handle.id) == "CANCELED"
    h.drain()
    assert (h.run(handle).status, seen) == ("CANCELED", [])
    assert "not wanted" in h.run(handle).error.message


@task(id="unbegun")
async def unbegun() -> None:
    await asyncio.Event().wait()


def test_an_async_run_that_is_cancelled_between_its_claim_and_its_first_step_ends_at_once() -> None:
    """Given an event loop that is busy, when a run is claimed and cancelled before the loop turns, then it ends as soon
    as the loop does, and not after the grace."""
    busy = threading.Event()
    with harness([unbegun], stop_grace=60) as h:
        h.worker.loop.post(busy.wait)
        handle = unbegun.sync.trigger(None)
        while h.run(handle).status == "QUEUED":
            time.sleep(0.001)
        assert h.engine.cancel(handle.id) == "EXECUTING"
        busy.set()
        h.drain(timeout=20)
        assert h.run(handle).status == "CANCELED"


@task(id="blocks", queue="one-at-a-time")
async def blocks() -> str:
    entered.set()
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        seen.append("unwound")
        raise
    return "unreached"


@blocks.on_complete
async def blocks_completed(result) -> None:
    await asyncio.sleep(0)
    seen.append(f"complete {result.status}")


@blocks.on_failure
def blocks_failed(error) -> None:
    seen.append(f"failure {type(error).__name__}")


def test_an_executing_async_run_is_cancelled_at_its_await_and_completes_its_hooks(h: Harness) -> None:
    handle = blocks.sync.trigger()
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    ended = h.run(handle)
    assert (ended.status, ended.error.message) == ("CANCELED", "not wanted")
    assert seen == ["unwound", "complete CANCELED"]


def test_a_time_out_ends_an_async_run_with_its_hooks(h: Harness) -> None:
    handle = blocks.sync.trigger(max_duration=1)
    h.drain()
    ended = h.run(handle)
    assert (ended.status, ended.error.code) == ("TIMED_OUT", "timed_out")
    assert "max_duration of 1 s" in ended.error.message
    assert seen == ["unwound", "failure TimeoutError", "complete TIMED_OUT"]
    assert len(ended.attempts) == 1


@task(id="loops", retry=Retry(max_attempts=1))
def loops() -> None:
    entered.set()
    try:
        while True:
            pass
    finally:
        seen.append("unwound")


loops.on_failure(blocks_failed)


def test_an_executing_plain_run_is_cancelled_in_the_middle_of_its_loop(h: Harness) -> None:
    handle = loops.sync.trigger()
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert (h.run(handle).status, seen) == ("CANCELED", ["unwound"])


def test_a_time_out_ends_a_plain_run_in_the_middle_of_its_loop(h: Harness) -> None:
    handle = loops.sync.trigger(max_duration=1)
    h.drain()
    assert (h.run(handle).status, seen) == ("TIMED_OUT", ["unwound", "failure TimeoutError"])


@task(id="in-c")
def in_c() -> str:
    entered.set()
    try:
        go_on.wait()
    except BaseException:
        seen.append("swallowed")
    try:
        late.sync.trigger()
    except BaseException as error:
        seen.append(type(error).__name__)
        raise
    finally:
        left.set()
    return "late"


def test_a_plain_run_that_is_blocked_in_a_c_call_is_left_behind_and_can_start_nothing_more(h: Harness) -> None:
    handle = in_c.sync.trigger()
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert h.run(handle).status == "CANCELED"
    assert any("left behind" in line.message for line in h.logs(handle))
    assert h.output(loops_not.sync.trigger()) == "free"
    go_on.set()
    assert left.wait(10)
    assert seen == ["swallowed", "LeaseLost"]
    assert h.run(handle).children == []


@task(id="loops-not")
def loops_not() -> str:
    return "free"


@task(id="swallows")
async def swallows() -> str:
    while not go_on.is_set():
        entered.set()
        try:
            await asyncio.sleep(0.05)
        except BaseException:
            seen.append("swallowed")
    return "too late"


@task(id="swallows-plain")
def swallows_plain() -> str:
    while not go_on.is_set():
        entered.set()
        try:
            while not go_on.is_set():
                pass
        except BaseException:
            seen.append("swallowed")
    return "too late"


@pytest.mark.parametrize("made", [swallows, swallows_plain])
def test_a_run_that_swallows_the_signal_is_cancelled_all_the_same(h: Harness, made) -> None:
    handle = made.sync.trigger()
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert (h.run(handle).status, seen) == ("CANCELED", ["swallowed"])
    assert h.output(loops_not.sync.trigger()) == "free"


@task(id="never-yields", retry=Retry(max_attempts=1))
async def never_yields() -> None:
    async def branch() -> None:
        entered.set()
        while True:
            pass

    await asyncio.gather(branch(), asyncio.sleep(0))


@task(id="async-neighbour")
async def async_neighbour() -> str:
    return "free"


def test_a_run_that_never_yields_is_timed_out_while_plain_runs_go_on_and_is_named(h: Harness) -> None:
    handle = never_yields.sync.trigger(max_duration=3)
    assert entered.wait(10)
    plain = loops_not.sync.trigger()
    queued = async_neighbour.sync.trigger()
    while h.run(plain).status != "COMPLETED":
        assert h.run(handle).status in {"EXECUTING", "DEQUEUED"}
    h.drain()
    assert h.run(handle).status == "TIMED_OUT"
    assert h.output(queued) == "free"
    assert any("'never-yields' has blocked the event loop" in line.message for line in h.logs(handle))


@task(id="grandchild")
async def grandchild() -> None:
    entered.set()
    await asyncio.Event().wait()


@task(id="child")
def child() -> None:
    grandchild.sync.trigger_and_wait().unwrap()


@task(id="parent")
async def parent() -> None:
    late_one = await late.trigger(delay="1h")
    seen.append(late_one.id)
    await child.trigger_and_wait().unwrap()


def test_cancelling_a_waiting_run_cancels_all_that_it_started(h: Harness) -> None:
    handle = parent.sync.trigger()
    assert entered.wait(10)
    assert h.run(handle).status == "WAITING"
    cancel(h, handle.id)
    h.drain()
    children = h.run(handle).children
    assert {run.status for run in children} == {"CANCELED"} and len(children) == 2
    [plain] = [run for run in children if run.task == "child"]
    assert [run.status for run in h.run(plain.id).children] == ["CANCELED"]
    assert h.worker.held() == 0


@task(id="waits-in-a-thread")
async def waits_in_a_thread() -> None:
    def wait() -> None:
        try:
            grandchild.sync.trigger_and_wait()
        except BaseException as error:
            seen.append(type(error).__name__)
            left.set()
            raise

    await asyncio.to_thread(wait)


def test_a_run_that_waits_in_a_helper_thread_is_cancelled_too(h: Harness) -> None:
    handle = waits_in_a_thread.sync.trigger()
    assert entered.wait(10)
    cancel(h, handle.id)
    h.drain()
    assert h.run(handle).status == "CANCELED"
    assert h.run(handle).children[0].status == "CANCELED"
    assert left.wait(10)
    assert seen == ["Stopped"]


@task(id="patient", max_duration=1)
async def patient(ctx: Context) -> str:
    return await slow.trigger_and_wait().unwrap()


@task(id="patient-plain", max_duration=1)
def patient_plain() -> str:
    return slow.sync.trigger_and_wait().unwrap()


@task(id="slow")
async def slow() -> str:
    await asyncio.to_thread(time.sleep, 1.3)
    return "worth it"


def test_time_spent_waiting_for_children_does_not_count(h: Harness) -> None:
    handles = [patient.sync.trigger(), patient_plain.sync.trigger()]
    assert [h.output(handle) for handle in handles] == ["worth it", "worth it"]


unwinding: list[str] = []


@task(id="holds-something")
async def holds_something(_: None) -> str:
    try:
        await wait.for_(hours=1)
    finally:
        unwinding.append("let go")
    return "went on"


def test_a_worker_that_drains_lets_its_parked_runs_unwind_and_they_go_on_elsewhere() -> None:
    """Given a parked run that holds something, when its worker drains, then its ``finally`` runs there, and the run
    goes on on another worker without another attempt."""
    unwinding.clear()
    with harness() as h:
        handle = holds_something.sync.trigger(None)
        h.drain(advance=False)
        assert h.run(handle).status == "WAITING"
        h.start_worker()
        h.workers[0].drain(5)
        assert unwinding == ["let go"]
        assert h.output(handle) == "went on"
        assert h.run(handle).attempt == 1


@task(id="granted-late")
async def granted_late(n: int) -> int:
    return n


class LateLink:
    """The link of a worker, on which grants arrive when `gate` is open."""

    def __init__(self, link: Any) -> None:
        self._link = link
        self.gate = threading.Event()
        self.held = threading.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._link, name)

    def send(self, exchanges: Sequence[Exchange]) -> None:
        self._link.send([(said, partial(self._answer, answered)) for said, answered in exchanges])

    def _answer(self, answered: Callable[[Answer], None], answer: Answer) -> None:
        if isinstance(answer, Claimed) and answer.grants:
            self.held.set()
            threading.Thread(target=lambda: (self.gate.wait(10), answered(answer))).start()
        else:
            answered(answer)


def test_a_worker_that_drains_waits_for_the_grants_that_are_on_their_way(h: Harness) -> None:
    """Given a grant that the engine has given and the worker has not heard of, when the worker is told to stop, then
    the run is executed there, and its lease is not lost."""
    worker = h.worker
    late = worker.link = LateLink(worker.link)  # type: ignore[assignment]  # it has all that a link has
    handle = granted_late.sync.trigger(1)
    assert late.held.wait(10)
    draining = threading.Thread(target=worker.drain, args=(10,))
    draining.start()
    draining.join(0.5)
    assert draining.is_alive()
    late.gate.set()
    draining.join()
    assert h.run(handle).output == 1
    assert "lose_lease" not in kinds(h, handle)
