from __future__ import annotations

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from tests.servers.redis import Redis

ONCE = Retry(NoBackoff(), 0)


def test_a_server_forgets_or_keeps_what_was_written_as_told() -> None:
    for durable in (False, True):
        with Redis(durable=durable) as server, server.client() as client:
            client.set("a", "1")
            server.kill()
            with pytest.raises(redis.ConnectionError):
                client.get("a")
            server.start()
            assert client.get("a") == (b"1" if durable else None)
            server.flush()
            assert client.get("a") is None


def test_a_server_with_a_password_lets_nobody_else_in() -> None:
    with Redis(password="secret") as server:
        with redis.Redis.from_url(server.url) as known:
            assert known.ping()
        with redis.Redis(port=server.port, retry=ONCE) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()


def test_the_user_of_an_acl_reaches_only_its_prefix() -> None:
    with Redis(password="secret", prefix="detent:") as server, redis.Redis.from_url(server.url_of(2)) as user:
        user.set("detent:a", "1")
        with pytest.raises(redis.exceptions.NoPermissionError):
            user.set("other", "1")


def test_a_paused_server_answers_when_it_goes_on() -> None:
    with Redis() as server, server.client() as client, server.client() as patient:
        patient.set("a", "1")
        server.pause()
        client.connection_pool.connection_kwargs["socket_timeout"] = 0.1
        with pytest.raises(redis.TimeoutError):
            client.get("a")
        server.resume()
        assert patient.get("a") == b"1"
