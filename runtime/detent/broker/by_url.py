"""Brokers and channels by URL. The clients of servers are imported only where one is named."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConfigError
from ..model.channel import BrokerState, Channel
from ..open_servers import shown
from .embedded import EmbeddedBroker
from .health import Health
from .tickets import HasRoom, TicketBroker

if TYPE_CHECKING:
    from dramatiq.broker import Broker

__all__ = ["check_broker", "is_server", "open_broker", "open_channel", "open_ticket_broker"]

_REDIS = ("redis", "rediss", "unix")
_RABBITMQ = ("amqp", "amqps")
_POSTGRESQL = ("postgresql", "postgres")


def is_server(url: str | None) -> bool:
    """Whether `url` names a broker that several processes share. Errors: `ConfigError` for one of no known kind."""
    if url is None or url == "embedded":
        return False
    if urlsplit(url).scheme not in (*_REDIS, *_RABBITMQ):
        raise ConfigError(
            f"DETENT_BROKER_URL cannot be used, its scheme is {urlsplit(url).scheme!r}; expected redis://, rediss://, "
            "unix://, amqp:// or amqps://, or nothing for the embedded broker"
        )
    return True


def open_broker(
    url: str | None = None,
    namespace: str = "detent",
    *,
    health: Health | None = None,
    has_room: HasRoom = lambda _queue: True,
) -> Broker:
    """The Dramatiq broker that `url` names. It connects when it is used.

    Parameters:
      url: ``redis://``, ``rediss://``, ``unix://``, ``amqp://`` or ``amqps://``; None for the embedded one.
      namespace: keeps what belongs to one database apart from others on the same server.
      health: told how it goes. `has_room`: whether the tickets of a queue are of use to this process now.

    Errors: `ConfigError`.
    """
    if url is None or not is_server(url):
        return EmbeddedBroker()
    health = health or Health(url)
    try:
        if urlsplit(url).scheme in _REDIS:
            from .redis_broker import RedisBroker

            return RedisBroker(url, namespace, health, has_room)
        _need_pika()
        from .rabbitmq_broker import RabbitmqBroker

        return RabbitmqBroker(url, namespace, health, has_room)
    except ValueError as error:
        raise ConfigError(f"DETENT_BROKER_URL cannot be used: {shown(url)}: {error}") from error


def open_ticket_broker(url: str, namespace: str, health: Health) -> TicketBroker:
    """The same, for whoever sends tickets to workers of other processes. `url` names a server."""
    broker: Any = open_broker(url, namespace, health=health)
    return broker  # type: ignore[no-any-return]  # those of servers send tickets


def open_channel(
    broker_url: str | None, database_url: str, namespace: str, health: Health | None = None
) -> Channel | None:
    """What carries news between the engines of one database: the broker, else PostgreSQL itself; None for SQLite,
    which has one engine.

    Errors: `ConfigError`.
    """
    if broker_url is not None and is_server(broker_url):
        try:
            if urlsplit(broker_url).scheme in _REDIS:
                from .redis_channel import RedisChannel

                return RedisChannel(broker_url, namespace, health)
            _need_pika()
            from .rabbitmq_channel import RabbitmqChannel

            return RabbitmqChannel(broker_url, namespace, health)
        except ValueError as error:
            raise ConfigError(f"DETENT_BROKER_URL cannot be used: {shown(broker_url)}: {error}") from error
    if urlsplit(database_url).scheme in _POSTGRESQL:
        from .postgresql_channel import PostgresqlChannel

        return PostgresqlChannel(database_url, namespace, health)
    return None


def check_broker(url: str) -> BrokerState:
    """Ask a broker whether it is there, takes the password, and lets tickets be put and news be told; in a few seconds.

    Errors: `ConfigError` for a URL that cannot be used.
    """
    health = Health(url, "broker", quiet=True)
    broker = open_ticket_broker(url, "detent:check", health)
    began = time.perf_counter()
    try:
        broker.ping()
        latency_ms = (time.perf_counter() - began) * 1000
        broker.send_tickets("check", 1)
    except Exception as error:  # of whichever client it is
        health.failed("check", error)
    else:
        health.worked("check", latency_ms)
    finally:
        broker.close()
    return health.state()


def _need_pika() -> None:
    from importlib.util import find_spec

    if find_spec("pika") is None:
        raise ConfigError(
            "DETENT_BROKER_URL names RabbitMQ, whose client is not installed; pip install 'detent[rabbitmq]'"
        )
