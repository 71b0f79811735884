from __future__ import annotations

import secrets

import pika
import pytest
from tests.broker.taking import taker
from tests.servers.process import until
from tests.servers.proxy import Proxy
from tests.servers.rabbitmq import needs_rabbitmq, shared_rabbitmq

from detent.broker import Health, TicketPost, check_broker, open_ticket_broker
from detent.broker.tickets import MOST_TICKETS

pytestmark = needs_rabbitmq


@pytest.fixture
def namespace() -> str:
    return f"detent:{secrets.token_hex(4)}"


def waiting_at(url: str, queue: str) -> int:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        return int(connection.channel().queue_declare(queue, passive=True).method.message_count)


def consumers_of(url: str, queue: str) -> int:
    with pika.BlockingConnection(pika.URLParameters(url)) as connection:
        return int(connection.channel().queue_declare(queue, passive=True).method.consumer_count)


def test_tickets_reach_a_worker_of_their_class_once(namespace: str) -> None:
    url = shared_rabbitmq().url
    health = Health(url)
    post = TicketPost(open_ticket_broker(url, namespace, health), health)
    post.start()
    with taker(url, namespace, "c.sync", "c.async") as taken:
        post.send("c.async", 1)
        assert taken.get(timeout=30) == "c.async"
        post.send("c.sync", 3)
        assert [taken.get(timeout=30) for _ in range(3)] == ["c.sync"] * 3
        assert taken.empty()
    assert health.state().state == "ok"
    post.stop()


def test_a_flood_leaves_few_tickets(namespace: str) -> None:
    url = shared_rabbitmq().url
    sender = open_ticket_broker(url, namespace, Health(url))
    for _ in range(5):
        sender.send_tickets("c.sync", 200)
    until("the last of them", lambda: waiting_at(url, f"{namespace}.c.sync") == MOST_TICKETS)
    sender.close()


def test_a_worker_without_room_leaves_tickets_to_others(namespace: str) -> None:
    url = shared_rabbitmq().url
    sender = open_ticket_broker(url, namespace, Health(url))
    sender.declare_queue("c.sync", ensure=True)
    with (
        taker(url, namespace, "c.sync", has_room=lambda _queue: False) as busy,
        taker(url, namespace, "c.sync") as idle,
    ):
        until("both of them", lambda: consumers_of(url, f"{namespace}.c.sync") == 2)
        for _ in range(4):
            sender.send_tickets("c.sync", 1)
        # Where both ways of one are over, it was offered to each.
        until("a ticket for the idle one", lambda: not idle.empty())
        assert idle.get() == "c.sync"
        assert busy.qsize() <= 3
    sender.close()


def test_a_connection_that_is_reset_is_made_anew(namespace: str) -> None:
    server = shared_rabbitmq()
    with Proxy(server.port) as proxy:
        url = server.url.replace(str(server.port), str(proxy.port))
        health = Health(url, quiet=True)
        post = TicketPost(open_ticket_broker(url, namespace, health), health)
        post.start()
        with taker(url, namespace, "c.sync") as taken:
            until("the first ticket", lambda: post.send("c.sync", 1) and not taken.empty())
            proxy.refuse()
            until("the alarm", lambda: not post.send("c.sync", 1))
            proxy.heal()
            while not taken.empty():
                taken.get()
            until("a ticket again", lambda: post.send("c.sync", 1) and not taken.empty())
        post.stop()


def test_a_check_says_what_is_wrong() -> None:
    server = shared_rabbitmq()
    assert check_broker(server.url).state == "ok"
    wrong = check_broker(f"amqp://guest:wrong@127.0.0.1:{server.port}/%2F")
    assert wrong.state == "down"
    assert "wrong" not in f"{wrong.url}"
    assert check_broker(f"amqp://guest:guest@127.0.0.1:{server.port}/nowhere").state == "down"
