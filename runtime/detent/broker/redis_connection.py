"""Connections to Redis that fail fast: a broker only wakes, so nobody waits for one that is slow."""

from __future__ import annotations

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

__all__ = ["FAILURES", "redis_client"]

#: What a client raises when the server is away, refuses the password, or cannot do what is asked.
FAILURES = (redis.RedisError, OSError)
#: How long to connect, and to wait for an answer, in seconds.
_PATIENCE_S = 1.0


def redis_client(url: str, blocking_s: float = 0.0) -> redis.Redis:
    """A client with connections of its own, none of which is open yet.

    Parameters:
      url: ``redis://``, ``rediss://`` or ``unix://``.
      blocking_s: how long its commands may block by themselves, in seconds.

    Errors: `ValueError` for a URL that is none.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=_PATIENCE_S,
        socket_timeout=_PATIENCE_S + blocking_s,
        socket_keepalive=True,
        # Asked again by whoever asks, after a pause; each try inside the client would be one more second.
        retry=Retry(NoBackoff(), 0),
    )
