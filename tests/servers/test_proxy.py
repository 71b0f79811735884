from __future__ import annotations

import socket
from collections.abc import Iterator

import psycopg
import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.servers.postgresql import fresh_database, shared_postgresql
from tests.servers.process import until
from tests.servers.proxy import Proxy
from tests.servers.redis import shared_redis


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy(shared_redis().port) as proxy:
        yield proxy


def client(proxy: Proxy, timeout_s: float = 30.0) -> redis.Redis:
    return redis.Redis(port=proxy.port, socket_timeout=timeout_s, retry=Retry(NoBackoff(), 0))


def test_a_healthy_proxy_is_not_noticed(proxy: Proxy) -> None:
    with client(proxy) as one:
        one.set("large", b"x" * 3_000_000)
        assert one.get("large") == b"x" * 3_000_000
        assert proxy.connections == 1
    until("the end of the connection", lambda: proxy.connections == 0)


def test_a_cut_drops_silently_and_what_was_sent_arrives_after_it(proxy: Proxy) -> None:
    with client(proxy) as one, client(proxy, 0.1) as other:
        one.set("a", "1")
        other.ping()
        proxy.cut()
        with pytest.raises(redis.TimeoutError):
            other.set("a", "2")
        proxy.heal()
        with shared_redis().client() as direct:
            until("the write that was held back", lambda: direct.get("a") == b"2")
        assert one.get("a") == b"2"


def test_a_reset_ends_what_is_there_and_a_refusal_what_comes_too(proxy: Proxy) -> None:
    with socket.create_connection(("127.0.0.1", proxy.port)) as raw, client(proxy) as one:
        assert said(raw)
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            said(raw)
        assert one.ping()
        proxy.refuse()
        for _ in range(2):
            with pytest.raises(redis.ConnectionError):
                one.ping()
        proxy.heal()
        assert one.ping()


def said(raw: socket.socket) -> bytes:
    raw.sendall(b"PING\r\n")
    return raw.recv(100)


def test_a_connection_ends_after_so_many_bytes(proxy: Proxy) -> None:
    with client(proxy) as one:
        one.set("a", b"x" * 1000)
        proxy.close_after(3000)
        assert len(one.get("a") or b"") + len(one.get("a") or b"") == 2000
        with pytest.raises(redis.ConnectionError):
            one.get("a")
        proxy.heal()
        assert one.ping()


def test_latency_makes_a_hasty_client_give_up(proxy: Proxy) -> None:
    with client(proxy, 0.05) as hasty, client(proxy) as patient:
        assert hasty.ping()
        assert patient.ping()
        proxy.slow(latency_s=0.1)
        with pytest.raises(redis.TimeoutError):
            hasty.ping()
        assert patient.ping()
        proxy.slow(bytes_per_s=1_000_000)
        patient.set("a", b"x" * 10_000)


def test_a_commit_whose_answer_is_lost_has_been_done() -> None:
    with fresh_database() as url, Proxy(shared_postgresql().port) as proxy:
        with psycopg.connect(url) as db:
            db.execute("CREATE TABLE notes (n BIGINT)")
        there = url.replace(f":{shared_postgresql().port}/", f":{proxy.port}/")
        proxy.lose_answers(every=2)
        for n in range(4):
            try:
                with psycopg.connect(there) as db:
                    db.execute("INSERT INTO notes VALUES (%s)", [n])
            except psycopg.OperationalError:
                assert n in (1, 3)
        assert proxy.lost == 2
        proxy.heal()
        with psycopg.connect(there) as db:
            assert [n for (n,) in db.execute("SELECT n FROM notes ORDER BY n")] == [0, 1, 2, 3]
