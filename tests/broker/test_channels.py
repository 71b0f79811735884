"""News reach all who listen, over each of the servers that carry them."""

from __future__ import annotations

import os
import queue
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import psycopg
import pytest
from tests.servers.postgresql import shared_postgresql
from tests.servers.process import until
from tests.servers.rabbitmq import needs_rabbitmq, shared_rabbitmq
from tests.servers.redis import Redis, shared_redis

from detent.broker import Health, open_channel
from detent.broker.memory_channel import MemoryBus, MemoryChannel
from detent.model.channel import Channel

Make = Callable[[str], Channel]


class Ear:
    """Listens to a channel."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.heard: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self.gaps = threading.Semaphore(0)
        channel.start(self.heard.put, self.gaps.release)

    def ready(self) -> None:
        assert self.gaps.acquire(timeout=30)


@pytest.fixture
def namespace() -> str:
    return f"detent:{secrets.token_hex(4)}"


@pytest.fixture(params=["memory", "redis", "postgresql", pytest.param("rabbitmq", marks=needs_rabbitmq)])
def make(request: pytest.FixtureRequest) -> Make:
    bus = MemoryBus()

    def make(namespace: str) -> Channel:
        match request.param:
            case "memory":
                return MemoryChannel(bus)
            case "redis":
                channel = open_channel(shared_redis().url, "sqlite:///x", namespace)
            case "rabbitmq":
                channel = open_channel(shared_rabbitmq().url, "sqlite:///x", namespace)
            case _:
                channel = open_channel(None, shared_postgresql().url, namespace)
        assert channel is not None
        return channel

    return make


@pytest.fixture
def ears(make: Make, namespace: str) -> Iterator[Callable[[], Ear]]:
    with ExitStack() as stack:

        def ear() -> Ear:
            ear = Ear(make(namespace))
            stack.callback(ear.channel.stop)
            if not isinstance(ear.channel, MemoryChannel):
                ear.ready()
            return ear

        yield ear


def test_what_is_sent_reaches_all_who_listen_in_order(ears: Callable[[], Ear]) -> None:
    one, other = ears(), ears()
    words = [f"word {n} ü\n".encode() * (n + 1) for n in range(20)]
    for word in words:
        one.channel.send(word)
    assert [one.heard.get(timeout=30) for _ in words] == words
    assert [other.heard.get(timeout=30) for _ in words] == words
    assert one.channel.state().state == "ok"


def test_a_long_message_arrives_in_one_piece(ears: Callable[[], Ear]) -> None:
    one, other = ears(), ears()
    long = os.urandom(100_000)
    one.channel.send(long)
    one.channel.send(b"short")
    assert other.heard.get(timeout=30) == long
    assert other.heard.get(timeout=30) == b"short"


def test_a_message_that_cannot_be_taken_keeps_no_other_back(
    make: Make, namespace: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = make(namespace)
    if isinstance(channel, MemoryChannel):
        pytest.skip("it tells on the thread of whoever sends")
    taken, ready = threading.Event(), threading.Event()

    def take(data: bytes) -> None:
        if data == b"bad":
            raise ValueError("not this one")
        taken.set()

    channel.start(take, ready.set)
    assert ready.wait(30)
    channel.send(b"bad")
    channel.send(b"good")
    assert taken.wait(30)
    channel.stop()
    assert "news could not be taken" in caplog.text


def test_redis_that_was_away_is_found_again_and_a_gap_is_told(namespace: str) -> None:
    with Redis() as server:
        channel = open_channel(server.url, "", namespace, Health(server.url, quiet=True))
        assert channel is not None
        ear = Ear(channel)
        ear.ready()
        server.kill()
        until("the alarm", lambda: channel.state().state != "ok")
        channel.send(b"lost")
        server.start()
        ear.ready()
        until("an answer", lambda: channel.send(b"there") or not ear.heard.empty())
        assert channel.state().state == "ok"
        channel.stop()


def test_a_listening_connection_that_postgresql_ends_is_made_anew(namespace: str) -> None:
    url = shared_postgresql().url
    channel = open_channel(None, url, namespace, Health(url, quiet=True))
    assert channel is not None
    ear = Ear(channel)
    ear.ready()
    channel.send(b"before")
    assert ear.heard.get(timeout=30) == b"before"
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE application_name = 'detent news' AND pid <> pg_backend_pid()"
        )
    ear.ready()
    until("an answer", lambda: channel.send(b"after") or not ear.heard.empty())
    channel.stop()


def test_news_of_two_databases_do_not_mix(make: Make) -> None:
    one, other = Ear(make("detent:one")), Ear(make("detent:two"))
    if isinstance(one.channel, MemoryChannel):
        pytest.skip("it has no names")
    one.ready()
    other.ready()
    one.channel.send(b"mine")
    other.channel.send(b"theirs")
    assert one.heard.get(timeout=30) == b"mine"
    assert other.heard.get(timeout=30) == b"theirs"
    for ear in (one, other):
        ear.channel.stop()


def test_the_embedded_store_has_no_others_to_tell() -> None:
    assert open_channel(None, "sqlite:///detent.db", "detent:x") is None
