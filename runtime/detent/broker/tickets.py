"""What a broker does for tickets beyond what Dramatiq asks of it, and what one ticket is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import dramatiq

__all__ = ["ACTOR", "MOST_TICKETS", "TICKET_MS", "HasRoom", "TicketBroker", "ticket"]

#: What takes a ticket, in the worker.
ACTOR = "detent_ticket"
#: Tickets that wait in one queue; more wake nobody else, and a flood of triggers leaves no more behind.
MOST_TICKETS = 64
#: A ticket older than this, in milliseconds, tells nothing that the poll has not found.
TICKET_MS = 10_000

#: Whether the tickets of a queue are of any use to this process now.
HasRoom = Callable[[str], bool]


class TicketBroker(Protocol):
    """A Dramatiq broker for tickets. All methods but `close` may raise whatever its client raises."""

    def send_tickets(self, queue: str, n: int) -> None:
        """Put `n` tickets into `queue`, which keeps `MOST_TICKETS` at the most."""
        ...

    def give_back(self, queue: str) -> None:
        """A ticket that was taken is another's."""
        ...

    def ping(self) -> None:
        """Ask whether the broker is there."""
        ...

    def close(self) -> None:
        """Let go of all connections; consumers come back at once."""
        ...


def ticket(queue: str) -> dramatiq.Message[Any]:
    """There may be work of the class whose queue it is; it says no more than that."""
    return dramatiq.Message(queue_name=queue, actor_name=ACTOR, args=(queue,), kwargs={}, options={})
