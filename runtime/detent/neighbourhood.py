"""Where an engine finds the others on its database: the channel for news, the broker for tickets, as configured."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from .config import Config
from .store import Store

if TYPE_CHECKING:
    from .engine import Engine

__all__ = ["Neighbourhood"]


class Neighbourhood:
    """Of one engine; empty where the store has no other engine.

    Parameters:
      config: the project's settings. `store`: of the engine.

    Errors: `ConfigError` for a broker that cannot be used; one that is away is no error.
    """

    def __init__(self, config: Config, store: Store) -> None:
        #: Further parameters of `Engine`.
        self.of_engine: dict[str, Any] = {}
        self._closing = ExitStack()
        if not store.is_shared:
            return
        from .broker import Health, TicketPost, open_channel, open_ticket_broker
        from .engine.namespace import namespace_of

        namespace = namespace_of(store)
        url = config.broker_url
        health = None if url is None else Health(url)
        self.of_engine["channel"] = open_channel(url, config.database_url, namespace, health)
        if url is not None and health is not None:
            tickets = TicketPost(open_ticket_broker(url, namespace, health), health)
            tickets.start()
            self._closing.callback(tickets.stop)
            self.of_engine |= {"tickets": tickets, "namespace": namespace}

    def join(self, engine: Engine) -> None:
        """Hear and be heard, until `leave`."""
        if engine.neighbours is not None:
            engine.neighbours.start()
            self._closing.callback(engine.neighbours.stop)

    def leave(self) -> None:
        """Tell what is still to be told, and let go of all connections."""
        self._closing.close()
