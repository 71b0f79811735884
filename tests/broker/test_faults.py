"""F5: whatever happens to the broker, no run is lost, each runs once, and work goes on by the poll."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.broker.town import Town, town
from tests.servers.process import until
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import needs_rabbitmq, shared_rabbitmq
from tests.servers.redis import Redis, shared_redis

from detent import task

done: list[int] = []
lock = threading.Lock()


@task(id="broker-plain")
def plain(payload: int) -> None:
    with lock:
        done.append(payload)


@task(id="broker-async")
async def run_async(payload: int) -> None:
    with lock:
        done.append(payload)


@pytest.fixture(autouse=True)
def nothing_done() -> None:
    done.clear()


def url_of(kind: str) -> str | None:
    match kind:
        case "redis":
            return shared_redis().url
        case "rabbitmq":
            return shared_rabbitmq().url
    return None


def work(place: Town, numbers: range, name: str = "broker-plain") -> None:
    """Each of `numbers` runs to its end, once."""
    before = list(done)
    runs = [place.trigger(name, number) for number in numbers]
    assert {place.ended(run) for run in runs} == {"COMPLETED"}
    assert sorted(done[len(before) :]) == list(numbers)


@pytest.mark.parametrize("kind", ["none", "redis", pytest.param("rabbitmq", marks=needs_rabbitmq)])
def test_workers_of_another_engine_are_woken_though_they_never_poll(kind: str, tmp_path: Path) -> None:
    with town(url_of(kind), tmp_path, plain, run_async, poll_s=None) as place:
        if kind != "none":
            place.know_each_other()
        for n in range(5):
            work(place, range(n, n + 1), "broker-plain")
            work(place, range(n, n + 1), "broker-async")
        work(place, range(20))


def refused(proxy: Proxy, _server: Redis) -> None:
    proxy.refuse()


def silent(proxy: Proxy, _server: Redis) -> None:
    proxy.cut()


def slow(proxy: Proxy, _server: Redis) -> None:
    proxy.slow(latency_s=0.4)


@pytest.mark.parametrize("fault", [refused, silent, slow])
def test_a_broker_that_is_away_or_slow_loses_no_run_and_is_shown(
    fault: Callable[[Proxy, Redis], None], tmp_path: Path
) -> None:
    server = shared_redis()
    with Proxy(server.port) as proxy:
        url = server.url.replace(str(server.port), str(proxy.port))
        with town(url, tmp_path, plain, poll_s=0.2) as place:
            place.know_each_other()
            fault(proxy, server)
            work(place, range(4))
            until("the alarm", lambda: place.state() != "ok")
            proxy.heal()
            work(place, range(4, 8))
            until("the return", lambda: place.state() == "ok")


def test_a_broker_that_forgets_everything_again_and_again_loses_no_run(tmp_path: Path) -> None:
    with Redis() as server, town(server.url, tmp_path, plain, poll_s=0.2) as place:
        place.know_each_other()
        over = threading.Event()

        def forget() -> None:
            while not over.is_set():
                server.flush()

        forgetting = threading.Thread(target=forget)
        forgetting.start()
        work(place, range(20))
        over.set()
        forgetting.join()


def test_tickets_that_come_three_times_start_no_run_twice(tmp_path: Path) -> None:
    with town(shared_redis().url, tmp_path, plain, poll_s=None) as place:
        place.know_each_other()
        assert place.front.neighbours is not None
        post = place.front.neighbours._tickets
        assert post is not None
        send = post.send
        post.send = lambda queue, n: all([send(queue, 3 * n), send(queue, 3 * n)])  # type: ignore[method-assign]
        work(place, range(30))


def test_workers_go_on_by_the_poll_where_every_other_ticket_is_lost(tmp_path: Path) -> None:
    with town(shared_redis().url, tmp_path, plain, poll_s=0.1) as place:
        place.know_each_other()
        assert place.front.neighbours is not None
        post = place.front.neighbours._tickets
        assert post is not None
        send, count = post.send, iter(range(10_000))
        post.send = lambda queue, n: next(count) % 2 == 0 or send(queue, n)  # type: ignore[method-assign]
        for n in range(6):
            work(place, range(n, n + 1))
