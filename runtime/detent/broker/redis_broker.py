"""Tickets over Redis: Dramatiq's broker with a consumer that blocks instead of polling."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Event
from typing import Any

import dramatiq
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.redis import RedisBroker as DramatiqRedisBroker

from .health import Health
from .redis_connection import redis_client
from .tickets import MOST_TICKETS, TICKET_MS, HasRoom, ticket

__all__ = ["RedisBroker"]

#: How long one blocking wait lasts, in seconds; then the connection has proved that it lives.
_BLOCK_S = 5.0
#: How long to wait where a ticket would be of no use, in seconds.
_NO_ROOM_S = 0.05
#: Before another try while the broker is away, in seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


class RedisBroker(DramatiqRedisBroker):
    """Each queue is one list, of which tickets are popped by blocking.

    Dramatiq's own scripts keep what was fetched until it is acknowledged, so that no message is lost. A ticket may be,
    so it costs one word to send, one to take and nothing to acknowledge, and leaves nothing behind where a worker dies:
    no dead letters, no lists of what was fetched, no delay queues. Lists are cut to `MOST_TICKETS`, and gone when
    nothing came for `TICKET_MS`.

    Parameters:
      url: of the server. `namespace`: the beginning of all keys.
      health: told how it goes. `has_room`: see `HasRoom`.
    """

    def __init__(
        self, url: str, namespace: str, health: Health | None = None, has_room: HasRoom = lambda _queue: True
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]  # dramatiq leaves it untyped
            client=redis_client(url), namespace=namespace, middleware=[]
        )
        self.health = health or Health(url)
        self.has_room = has_room
        self.waiting = redis_client(url, _BLOCK_S)
        self.closed = Event()

    def key_of(self, queue: str) -> str:
        """The list of a queue."""
        return f"{self.namespace}:{queue}"

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        if delay is not None:
            raise ValueError("tickets are not delayed: timers live in the store")
        self._push(message.queue_name, [message.encode()])
        return message

    def send_tickets(self, queue: str, n: int) -> None:
        """See `TicketBroker`."""
        self._push(queue, [ticket(queue).encode() for _ in range(min(n, MOST_TICKETS))])

    def give_back(self, queue: str) -> None:
        """See `TicketBroker`. It goes to the one that has waited longest."""
        key = self.key_of(queue)
        words = self.client.pipeline(transaction=False)
        words.lpush(key, ticket(queue).encode())
        words.ltrim(key, 0, MOST_TICKETS - 1)
        words.pexpire(key, TICKET_MS)
        words.execute()

    def ping(self) -> None:
        """See `TicketBroker`."""
        self.client.ping()

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:  # noqa: ARG002
        return _Consumer(self, queue_name)

    def flush(self, queue_name: str) -> None:
        self.client.delete(self.key_of(queue_name))

    def close(self) -> None:
        """See `TicketBroker`."""
        self.closed.set()
        for client in (self.waiting, self.client):
            client.connection_pool.disconnect()

    def _push(self, queue: str, tickets: list[bytes]) -> None:
        key = self.key_of(queue)
        words = self.client.pipeline(transaction=False)
        words.rpush(key, *tickets)
        words.ltrim(key, -MOST_TICKETS, -1)
        words.pexpire(key, TICKET_MS)
        words.execute()


class _Consumer(Consumer):
    """It never raises: Dramatiq would write a critical line every three seconds while the server is away."""

    def __init__(self, broker: RedisBroker, queue: str) -> None:
        self._broker = broker
        self._queue = queue
        self._key = broker.key_of(queue)
        self._pause_s = _FIRST_PAUSE_S

    def ack(self, message: MessageProxy) -> None:
        """Nothing is kept of a ticket that was taken."""

    def nack(self, message: MessageProxy) -> None:
        """A ticket that failed is gone: the poll finds the work."""

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Tickets of a worker that stops are gone with it."""

    def __next__(self) -> MessageProxy | None:
        broker = self._broker
        if broker.closed.is_set():
            # It may have connected after all were told to let go.
            broker.waiting.connection_pool.disconnect()
            return None
        if not broker.has_room(self._queue):
            broker.closed.wait(_NO_ROOM_S)
            return None
        try:
            found: Any = broker.waiting.blpop([self._key], _BLOCK_S)
        except Exception as error:  # a client whose socket was closed meanwhile raises all kinds of things
            self._failed(error)
            return None
        broker.health.worked(self._queue)
        self._pause_s = _FIRST_PAUSE_S
        # Whatever was put there, it is a word to look for work, and nothing of it is read.
        return None if found is None else MessageProxy(ticket(self._queue))

    def close(self) -> None:
        self._broker.health.forget(self._queue)

    def _failed(self, error: Exception) -> None:
        if self._broker.closed.is_set():
            return
        self._broker.health.failed(self._queue, error)
        self._broker.closed.wait(self._pause_s)
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)
