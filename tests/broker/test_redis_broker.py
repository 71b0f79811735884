from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from queue import Empty

import dramatiq
import pytest
from tests.broker.taking import taker
from tests.servers.process import until
from tests.servers.redis import Redis, shared_redis

from detent.broker import Health, TicketPost, check_broker, open_broker, open_ticket_broker
from detent.broker.tickets import MOST_TICKETS, TICKET_MS, TicketBroker, ticket
from detent.errors import ConfigError


@pytest.fixture(scope="module")
def server() -> Redis:
    return shared_redis()


@pytest.fixture
def sender(server: Redis, request: pytest.FixtureRequest) -> Iterator[TicketBroker]:
    broker = open_ticket_broker(server.url, request.node.name, Health(server.url))
    yield broker
    broker.close()


def test_a_ticket_wakes_a_consumer_that_blocks(
    server: Redis, sender: TicketBroker, request: pytest.FixtureRequest
) -> None:
    with taker(server.url, request.node.name, "c.sync", "c.async") as taken:
        with server.client() as client:
            until("two blocked clients", lambda: client.info("clients")["blocked_clients"] >= 2)
        sender.send_tickets("c.async", 1)
        assert taken.get(timeout=30) == "c.async"
        sender.send_tickets("c.sync", 3)
        assert [taken.get(timeout=30) for _ in range(3)] == ["c.sync"] * 3


def test_a_flood_leaves_few_tickets_which_vanish(
    server: Redis, sender: TicketBroker, request: pytest.FixtureRequest
) -> None:
    for _ in range(500):
        sender.send_tickets("c.sync", 200)
    with server.client() as client:
        [key] = client.keys(f"{request.node.name}*")
        assert key == f"{request.node.name}:c.sync".encode()
        assert client.llen(key) == MOST_TICKETS
        assert 0 < client.pttl(key) <= TICKET_MS


def test_a_ticket_says_nothing_but_the_name_of_its_class() -> None:
    message = ticket("c123456789abcdef.sync")
    assert (message.args, message.kwargs, message.options) == (("c123456789abcdef.sync",), {}, {})


def test_the_tickets_of_two_installations_on_one_server_do_not_mix(
    server: Redis, request: pytest.FixtureRequest
) -> None:
    one, other = f"{request.node.name}:1", f"{request.node.name}:2"
    sender = open_ticket_broker(server.url, one, Health(server.url))
    with taker(server.url, one, "c.sync") as mine, taker(server.url, other, "c.sync") as theirs:
        sender.send_tickets("c.sync", 1)
        assert mine.get(timeout=30) == "c.sync"
        assert theirs.empty()
    sender.close()


def test_a_worker_without_room_leaves_tickets_to_others(
    server: Redis, sender: TicketBroker, request: pytest.FixtureRequest
) -> None:
    with taker(server.url, request.node.name, "c.sync", has_room=lambda _queue: False) as busy:
        sender.send_tickets("c.sync", 1)
        with taker(server.url, request.node.name, "c.sync") as idle:
            assert idle.get(timeout=30) == "c.sync"
        assert busy.empty()


def test_a_ticket_that_is_given_back_is_anothers(
    server: Redis, sender: TicketBroker, request: pytest.FixtureRequest
) -> None:
    sender.give_back("c.sync")
    with taker(server.url, request.node.name, "c.sync") as taken:
        assert taken.get(timeout=30) == "c.sync"


def test_nothing_has_delays_or_dead_letters(server: Redis, request: pytest.FixtureRequest) -> None:
    broker = open_broker(server.url, request.node.name)
    broker.declare_queue("c.sync")
    assert broker.middleware == []
    assert broker.get_declared_delay_queues() == set()
    with pytest.raises(ValueError, match="timers live in the store"):
        broker.enqueue(ticket("c.sync"), delay=1)
    broker.enqueue(ticket("c.sync"))
    broker.flush("c.sync")
    with server.client() as client:
        assert client.keys(f"{request.node.name}*") == []
    broker.close()


def test_nothing_of_what_a_stranger_puts_into_a_queue_is_read(server: Redis, request: pytest.FixtureRequest) -> None:
    strange = dramatiq.Message("c.sync", "another_actor", (["what"],), {"of": "it"}, {"eta": 1}).encode()
    with server.client() as client:
        client.rpush(f"{request.node.name}:c.sync", b"\xff no message", b"{}", strange)
    with taker(server.url, request.node.name, "c.sync") as taken:
        assert [taken.get(timeout=30) for _ in range(3)] == ["c.sync"] * 3


def test_a_server_that_restarts_is_found_again_and_the_log_tells_it_in_two_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "dramatiq.worker")
    with Redis() as server:
        health = Health(server.url)
        post = TicketPost(open_ticket_broker(server.url, "detent:x", health), health)
        post.start()
        with taker(server.url, "detent:x", "c.sync") as taken:
            until("the first word", lambda: post.send("c.sync", 1) and not taken.empty())
            server.kill()
            # Nothing is kept for a broker that is away.
            until("the alarm", lambda: not post.send("c.sync", 1) and health.is_down)
            server.start()
            until("the return", lambda: health.state().state == "ok")
            while not taken.empty():
                taken.get()
            until("a ticket", lambda: post.send("c.sync", 1) and not taken.empty())
            server.flush()
            until("a ticket after FLUSHALL", lambda: post.send("c.sync", 1) and not taken.empty())
        post.stop()
    words = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert len(words) == 2, words
    assert "is down" in words[0]
    assert words[1].endswith("is back")


def test_whoever_sends_does_not_wait_for_a_server_that_hangs() -> None:
    with Redis() as server:
        health = Health(server.url, quiet=True)
        post = TicketPost(open_ticket_broker(server.url, "detent:x", health), health)
        post.start()
        until("the first word", lambda: health.state().latency_ms is not None)
        server.pause()
        for _ in range(10_000):
            post.send("c.sync", 1)
        until("the alarm", lambda: health.is_down)
        server.resume()
        until("the return", lambda: health.state().state == "ok")
        with server.client() as client:
            assert client.llen("detent:x:c.sync") <= MOST_TICKETS
        post.stop()


def test_a_post_that_is_stopped_sends_no_more(sender: TicketBroker, server: Redis) -> None:
    post = TicketPost(sender, Health(server.url))
    post.start()
    post.stop()
    assert not post.send("c.sync", 1)
    assert not any(thread.name == "detent-tickets" for thread in threading.enumerate())


def test_the_user_of_an_acl_needs_the_keys_and_channels_of_its_namespace_only() -> None:
    with Redis(password="secret", prefix="detent:") as server:
        state = check_broker(server.url)
        assert (state.state, state.last_error) == ("ok", None)
        assert "secret" not in state.url
        with taker(server.url, "detent:x", "c.sync") as taken:
            sender = open_ticket_broker(server.url, "detent:x", Health(server.url))
            sender.send_tickets("c.sync", 1)
            assert taken.get(timeout=30) == "c.sync"
            sender.close()


def test_a_check_says_what_is_wrong() -> None:
    with Redis(password="secret") as server:
        wrong = check_broker(f"redis://:wrong@127.0.0.1:{server.port}/0")
        assert wrong.state == "down"
        assert "WRONGPASS" in str(wrong.last_error) or "invalid" in str(wrong.last_error)
        nobody = check_broker(f"redis://:secret@127.0.0.1:{server.port}/9999")
        assert "DB index" in str(nobody.last_error)
        assert "secret" not in f"{wrong}{nobody}"
        port = server.port
    gone = check_broker(f"redis://127.0.0.1:{port}")
    assert gone.state == "down"
    assert "refused" in str(gone.last_error)


def test_a_url_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected redis://"):
        open_broker("kafka://broker")
    with pytest.raises(ConfigError, match="DETENT_BROKER_URL cannot be used"):
        open_broker("redis://host:port")
    assert isinstance(open_broker(), dramatiq.Broker)
    assert isinstance(open_broker("embedded"), dramatiq.Broker)
    assert not isinstance(open_broker(), dramatiq.brokers.redis.RedisBroker)


def test_a_dead_worker_leaves_nothing_on_the_server(sender: TicketBroker, server: Redis) -> None:
    with taker(server.url, "lonely", "c.sync") as taken, server.client() as client:
        client.rpush("lonely:c.sync", ticket("c.sync").encode())
        taken.get(timeout=30)
        assert client.keys("lonely*") == []
    with pytest.raises(Empty):
        taken.get(block=False)
