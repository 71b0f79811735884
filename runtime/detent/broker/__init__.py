"""Dramatiq brokers: they carry work tickets, nothing else. A lost, doubled or late ticket is harmless.

Channels carry news between the engines of one database, by the same servers; news may be lost, too.
"""

from __future__ import annotations

from .by_url import check_broker, is_server, open_broker, open_channel, open_ticket_broker
from .embedded import EmbeddedBroker
from .health import Health
from .post import TicketPost

__all__ = [
    "EmbeddedBroker",
    "Health",
    "TicketPost",
    "check_broker",
    "is_server",
    "open_broker",
    "open_channel",
    "open_ticket_broker",
]
