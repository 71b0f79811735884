"""The broker: reach, version, rights, speed, room. What it keeps is of no value, so nothing is asked of its disk."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..broker import check_broker
from ..config import Config
from ..errors import ConfigError
from .finding import Figure, Finding, failed, good, said, shown, warning
from .passwords import check_password

if TYPE_CHECKING:
    import redis

__all__ = ["check_broker_server"]

#: A broker that takes longer for a word wakes nobody faster than the poll would, in milliseconds.
_SLOW_MS = 250.0
_OLDEST = (6, 2)


def check_broker_server(config: Config) -> Iterator[Finding]:
    """The broker that ``DETENT_BROKER_URL`` names."""
    url = config.broker_url
    if url is None:
        yield good("broker.reach", "none is named: processes of one machine wake each other, others poll")
        return
    yield from check_password("broker", url, "DETENT_BROKER_URL", config)
    if urlsplit(url).scheme in ("redis", "rediss", "unix"):
        for finding in _redis(url, config):
            yield finding
            if finding.status == "failed":
                return
    yield _use(url, config)


def _use(url: str, config: Config) -> Finding:
    """Whether tickets can be put there, by the client that engines use."""
    place = shown(url)
    try:
        state = check_broker(url)
    except ConfigError as error:
        return failed("broker.use", said(error, config), "correct DETENT_BROKER_URL, or install what it needs")
    if state.state != "ok":
        told = f"{place} is {state.state}: {said(ValueError(state.last_error or 'it is slow'), config)}"
        advice = "allow its user all commands on keys and channels that begin with detent; work goes on by polling"
        return failed("broker.use", told, advice)
    return good("broker.use", f"{place} takes tickets", latency_ms=round(state.latency_ms or 0.0, 2))


def _redis(url: str, config: Config) -> Iterator[Finding]:
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    place = shown(url)
    try:
        client = redis.Redis.from_url(
            url, socket_connect_timeout=3.0, socket_timeout=3.0, retry=Retry(NoBackoff(), 0), decode_responses=True
        )
    except ValueError as error:
        yield failed("broker.reach", f"{place} cannot be used: {said(error, config)}", "correct DETENT_BROKER_URL")
        return
    with closing(client):
        try:
            client.ping()
            begun = time.perf_counter()
            client.ping()
            took = round((time.perf_counter() - begun) * 1000, 2)
        except (redis.RedisError, OSError) as error:
            text = said(error, config)
            yield failed("broker.reach", f"{place} is not reached: {text}; work goes on by polling", _advice(text))
            return
        about = _about(client)
        yield _version(place, about, took)
        yield _room(about)


def _advice(text: str) -> str:
    if "auth" in text.lower() or "password" in text or "WRONGPASS" in text:
        return "set DETENT_BROKER_URL to one with the right password: redis://:PASSWORD@HOST:6379/0"
    return "start the server, or correct host and port in DETENT_BROKER_URL; see to the firewall between"


def _about(client: redis.Redis) -> dict[str, Any]:
    import redis

    try:
        about = client.info()
    except redis.RedisError:
        # A user of an access list may be kept from asking.
        return {}
    return dict(about) if isinstance(about, dict) else {}


def _version(place: str, about: dict[str, Any], took: float) -> Finding:
    name = "Valkey" if about.get("server_name") == "valkey" else "Redis"
    there = str(about.get("valkey_version") or about.get("redis_version") or "")
    told = f"{name} {there or 'of unknown version'} at {place}, a word takes {took:g} ms"
    if there and tuple(int(part) for part in there.split(".")[:2]) < _OLDEST:
        return failed("broker.reach", f"{told}; it is too old", "use Redis 6.2 or newer, or Valkey", version=there)
    if took > _SLOW_MS:
        return warning("broker.reach", told, "put it nearer: polling is as fast", version=there, latency_ms=took)
    return good("broker.reach", told, version=there, latency_ms=took)


def _room(about: dict[str, Any]) -> Finding:
    most, used = int(about.get("maxmemory") or 0), int(about.get("used_memory") or 0)
    policy = str(about.get("maxmemory_policy") or "unknown")
    appends = bool(about.get("aof_enabled"))
    keeps = "keeps every write on its disk, which detent has no use for" if appends else "need keep nothing on its disk"
    told = f"{used / 1024**2:,.1f} MiB used{f' of {most / 1024**2:,.0f} MiB' if most else ''} ({policy}); it {keeps}"
    figures: dict[str, Figure] = {"used_bytes": used, "most_bytes": most, "policy": policy, "appends": appends}
    if most and used > 0.9 * most:
        return warning("broker.room", told, "set maxmemory higher, or give detent a server of its own", **figures)
    return good("broker.room", told, **figures)
