"""What carries news between engines of one database, and how the way to it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

__all__ = ["BrokerState", "Channel", "Tickets"]


class BrokerState(NamedTuple):
    """`state` is ``ok``, ``degraded`` (slow, or a part of it fails) or ``down``, since `since` (milliseconds since
    1970). `url` has no password; `latency_ms` is that of the last word sent, None before the first."""

    url: str
    state: str
    since: int
    last_error: str | None = None
    latency_ms: float | None = None


class Channel(Protocol):
    """Tells what is sent to all who listen. Any message may be lost, doubled or late."""

    def start(self, on_message: Callable[[bytes], None], on_gap: Callable[[], None]) -> None:
        """Listen from now on.

        Parameters:
          on_message: called with each message, one's own too, on a thread of the channel.
          on_gap: called when messages may have been lost, as after a reconnection.
        """
        ...

    def send(self, data: bytes) -> None:
        """Tell all. It may block for a second or two, and loses the message where it cannot be sent."""
        ...

    def stop(self) -> None:
        """Listen no more, and let go of all connections."""
        ...

    def state(self) -> BrokerState:
        """How the way to the others is."""
        ...


class Tickets(Protocol):
    """Wakes workers of a class, wherever they are."""

    def send(self, queue: str, n: int) -> bool:
        """`n` workers of the class of `queue` may look for work; at once. False when nobody can be told that way."""
        ...
