"""Many runs in one process: how many at once, on what, and what they know of themselves."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from detent import Context, Retry, queue, task
from detent.client import Detent
from detent.testing import Harness, harness


@pytest.fixture
def h() -> Iterator[Harness]:
    with harness() as made:
        yield made


class Crowd:
    """Counts who is in, and how many were at the most."""

    def __init__(self, size: int = 0) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = 0
        self.size = size
        self.order: list[object] = []
        self.all_in = asyncio.Event()

    def __enter__(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            if self.inside == self.size:
                self.all_in.set()

    def __exit__(self, *_: object) -> None:
        with self.lock:
            self.inside -= 1


crowd = Crowd()


@task(id="all-in")
async def all_in(n: int) -> int:
    with crowd:
        await crowd.all_in.wait()
    return n


def test_six_hundred_async_runs_are_in_one_process_at_once() -> None:
    global crowd
    crowd = Crowd(600)
    with harness(async_limit=600) as h:
        handles = all_in.sync.batch_trigger(list(range(600)))
        h.drain()
        assert crowd.most == 600
        assert {h.run(run).status for run in handles.runs[::50]} == {"COMPLETED"}


def test_async_runs_beyond_the_limit_of_the_process_wait_for_their_turn() -> None:
    global crowd
    crowd = Crowd(5)
    with harness(async_limit=5) as h:
        all_in.sync.batch_trigger(list(range(40)))
        h.drain()
        assert crowd.most == 5


meeting = threading.Barrier(4)


@task(id="meets")
def meets(n: int) -> int:
    with crowd:
        meeting.wait(timeout=20)
    return n


def test_plain_runs_are_as_many_at_once_as_there_are_threads() -> None:
    global crowd
    crowd = Crowd()
    with harness(threads=4) as h:
        meets.sync.batch_trigger(list(range(16)))
        h.drain()
        assert crowd.most == 4


@task(id="both")
async def both() -> str:
    with crowd:
        return await asyncio.to_thread(threading.current_thread().name.upper)


@task(id="both-plain")
def both_plain() -> str:
    with crowd:
        return threading.current_thread().name


def test_env_limit_is_never_exceeded_over_async_and_plain_runs() -> None:
    global crowd
    crowd = Crowd()
    with harness(env_limit=2) as h:
        handles = [made.sync.trigger() for _ in range(10) for made in (both, both_plain)]
        h.drain()
        assert {h.run(handle).status for handle in handles} == {"COMPLETED"}
        assert crowd.most <= 2


started = threading.Event()
finish = threading.Event()


@task(id="holds-its-thread")
def holds_its_thread() -> None:
    started.set()
    finish.wait()


def test_async_runs_go_on_while_every_thread_is_busy() -> None:
    started.clear()
    finish.clear()
    with harness(threads=1) as h:
        busy = holds_its_thread.sync.trigger()
        assert started.wait(10)
        try:
            asked = [both.sync.trigger() for _ in range(3)]
            client = Detent(h.transport)
            assert [client.runs.poll(run.id, timeout=10).status for run in asked] == ["COMPLETED"] * 3
        finally:
            finish.set()
        h.drain()
        assert h.run(busy).status == "COMPLETED"


named = queue("named")


@task(id="knows", queue=named, retry=Retry(max_attempts=2), max_duration=90)
async def knows(_: None, ctx: Context) -> dict[str, object]:
    run = ctx.run
    return {
        "id": run.id,
        "parent": run.parent_id,
        "root": run.root_id,
        "key": run.concurrency_key,
        "idempotent": run.idempotency_key is not None,
        "max": [run.max_attempts, run.max_duration],
        "priority": run.priority,
        "batch": None if ctx.batch is None else ctx.batch.id,
        "queue": ctx.queue.name,
        "attempt": ctx.attempt.number,
        "ordered": run.created_at <= run.started_at <= ctx.attempt.started_at,
        "zone": str(run.created_at.tzinfo),
        "file": ctx.task.file.endswith("test_running.py"),
    }


@task(id="knows-its-origin")
def knows_its_origin(_: None, ctx: Context) -> list[object]:
    return [ctx.run.is_replay, ctx.run.replay_of]


def test_a_replay_and_a_fork_know_the_run_that_they_run_again(h: Harness) -> None:
    first = knows_its_origin.sync.trigger()
    assert h.output(first) == [False, None]
    client = Detent(h.transport)
    for made in (client.runs.replay(first.id), client.runs.fork(first.id)):
        h.drain()
        assert client.runs.result(made.id).output == [True, first.id]


@task(id="asks")
async def asks(n: int) -> list[object]:
    handle = await knows.batch_trigger_and_wait(
        [knows.item(None, concurrency_key="k", idempotency_key="i", priority=n)]
    )
    return [handle.id, handle.runs[0].id, handle.runs[0].output]


def test_the_context_tells_where_a_run_comes_from_and_how_far_it_may_go(h: Harness) -> None:
    handle = asks.sync.trigger(7)
    batch_id, child_id, output = h.output(handle)
    assert output == {
        "id": child_id,
        "parent": handle.id,
        "root": handle.id,
        "key": "k",
        "idempotent": True,
        "max": [2, 90.0],
        "priority": 7,
        "batch": batch_id,
        "queue": "named",
        "attempt": 1,
        "ordered": True,
        "zone": "UTC",
        "file": True,
    }


def test_a_task_called_directly_is_just_its_function() -> None:
    assert both_plain() == threading.current_thread().name
    assert asyncio.run(both()).startswith("MAIN")


tenants = queue("tenants", concurrency_limit=4, concurrency_limit_per_key=1)


@task(id="of-tenant", queue=tenants)
async def of_tenant(name: str) -> None:
    with per_tenant[name], crowd:
        await asyncio.sleep(0)


per_tenant: dict[str, Crowd] = {}


def test_runs_of_one_concurrency_key_keep_its_limit_beside_those_of_others(h: Harness) -> None:
    global crowd
    crowd = Crowd()
    per_tenant.update({name: Crowd() for name in "abc"})
    for name in "aaaabbbbcccc":
        of_tenant.sync.trigger(name, concurrency_key=name)
    h.drain()
    assert [per_tenant[name].most for name in "abc"] == [1, 1, 1]
    assert crowd.most <= 3


single = queue("single", concurrency_limit=1)


@task(id="in-order", queue=single)
def in_order(name: str) -> None:
    crowd.order.append(name)


def test_priority_is_an_offset_in_seconds_on_the_order_of_arrival(h: Harness) -> None:
    global crowd
    crowd = Crowd()
    h.engine.pause_queue("single")
    in_order.sync.trigger("first")
    in_order.sync.trigger("urgent", priority=100)
    in_order.sync.trigger("second")
    in_order.sync.trigger("last", priority=-1)
    h.engine.pause_queue("single", False)
    h.drain()
    assert crowd.order == ["urgent", "first", "second", "last"]


def test_a_queue_given_at_the_trigger_takes_the_place_of_the_tasks_own(h: Harness) -> None:
    handle = both.sync.trigger(queue=queue("made-here", concurrency_limit=1))
    h.drain()
    assert h.run(handle).queue == "made-here"
    assert {q.name for q in Detent(h.transport).queues.list()} >= {"made-here"}


def test_a_run_not_begun_within_its_ttl_expires_and_its_parent_hears_of_it(h: Harness) -> None:
    h.engine.pause_queue("single")
    handle = hurries.sync.trigger()
    while h.run(handle).status != "WAITING":
        h.engine.sweep()
    h.clock.move_to(h.clock.now() + 30_000)
    h.engine.sweep()
    h.engine.pause_queue("single", False)
    assert h.output(handle) == "EXPIRED"


@task(id="hurries")
async def hurries() -> str:
    return (await in_order.trigger_and_wait("never", ttl="10s")).status


@task(id="quick", queue=single)
async def quick(n: int) -> int:
    return n


@task(id="branches-and-work", queue=single)
async def branches_and_work(kind: str) -> int:
    if kind == "background ends":
        work = asyncio.create_task(asyncio.sleep(0.02))
        output = await quick.trigger_and_wait(1).unwrap()
        await work
        return output
    waiting = asyncio.create_task(quick.trigger_and_wait(1).unwrap())
    await asyncio.sleep(0.02)
    if kind == "awaited later":
        return await waiting
    return sum([await one for one in asyncio.as_completed([waiting])])


@pytest.mark.parametrize("kind", ["background ends", "awaited later", "as completed"])
def test_a_run_gives_its_slot_back_as_soon_as_all_its_branches_wait(h: Harness, kind) -> None:
    assert h.output(branches_and_work.sync.trigger(kind)) == 1


@task(id="own-loop", queue=single)
def own_loop(n: int) -> int:
    async def inside() -> int:
        return await quick.trigger_and_wait(n).unwrap()

    return asyncio.run(inside())


@task(id="own-loop-branches")
def own_loop_branches(n: int) -> list[int]:
    async def inside() -> list[int]:
        return await asyncio.gather(*(quick.trigger_and_wait(i).unwrap() for i in range(n)))

    return asyncio.run(inside())


def test_a_plain_task_may_run_an_event_loop_of_its_own_and_wait_in_it(h: Harness) -> None:
    assert h.output(own_loop.sync.trigger(5)) == 5
    assert h.output(own_loop_branches.sync.trigger(3)) == [0, 1, 2]
