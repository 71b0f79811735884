"""Tickets over RabbitMQ: Dramatiq's broker, with queues that keep little and go when nobody uses them."""

from __future__ import annotations

import contextlib
from threading import Event
from typing import Any

import dramatiq
import pika
import pika.exceptions
from dramatiq.broker import Consumer, MessageProxy
from dramatiq.brokers.rabbitmq import RabbitmqBroker as DramatiqRabbitmqBroker
from dramatiq.errors import BrokerConnectionError

from .health import Health
from .tickets import MOST_TICKETS, TICKET_MS, HasRoom, ticket

__all__ = ["FAILURES", "RabbitmqBroker", "connection_parameters"]

#: What a client raises when the server is away, or refuses what is asked.
FAILURES = (pika.exceptions.AMQPError, BrokerConnectionError, OSError, AssertionError)
#: How long to connect, in seconds.
_PATIENCE_S = 2.0
#: How often both sides prove that they live, in seconds.
_HEARTBEAT_S = 10
#: A queue that nobody consumes for so long is removed, in milliseconds.
_UNUSED_MS = 60_000
#: Before another try while the broker is away, in seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0


def connection_parameters(url: str) -> pika.URLParameters:
    """How to connect to the server of an ``amqp://`` or ``amqps://`` URL without waiting long for it."""
    parameters = pika.URLParameters(url)
    parameters.socket_timeout = parameters.stack_timeout = parameters.blocked_connection_timeout = _PATIENCE_S
    parameters.connection_attempts = 1
    parameters.heartbeat = _HEARTBEAT_S
    return parameters


class RabbitmqBroker(DramatiqRabbitmqBroker):
    """Each queue keeps `MOST_TICKETS`, each for `TICKET_MS`, and has neither a delay queue nor one for dead letters.

    Parameters:
      url: of the server. `namespace`: the beginning of all names of queues.
      health: told how it goes. `has_room`: see `HasRoom`.
    """

    def __init__(
        self, url: str, namespace: str, health: Health | None = None, has_room: HasRoom = lambda _queue: True
    ) -> None:
        super().__init__(middleware=[], parameters=[{}])
        self.parameters = connection_parameters(url)
        self.namespace = namespace
        self.health = health or Health(url)
        self.has_room = has_room
        self.closed = Event()
        #: The connections of consumers, each of which belongs to their thread.
        self.consuming: set[pika.BlockingConnection] = set()

    def name_of(self, queue: str) -> str:
        """The name of a queue on the server."""
        return f"{self.namespace}.{queue}"

    def declare_queue(self, queue_name: str, *, ensure: bool = False) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues.add(queue_name)
            self.emit_after("declare_queue", queue_name)
        if ensure:
            self.declare_on(self.channel, queue_name)

    def declare_on(self, channel: Any, queue: str) -> None:
        """Make the queue on the server, unless it is there."""
        arguments = {
            "x-max-length": MOST_TICKETS,
            "x-message-ttl": TICKET_MS,
            "x-expires": _UNUSED_MS,
            "x-overflow": "drop-head",
        }
        channel.queue_declare(self.name_of(queue), durable=True, arguments=arguments)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        if delay is not None:
            raise ValueError("tickets are not delayed: timers live in the store")
        self._publish(message.queue_name, [message])
        return message

    def send_tickets(self, queue: str, n: int) -> None:
        """See `TicketBroker`. On one thread: connections to RabbitMQ belong to threads."""
        self._publish(queue, [ticket(queue) for _ in range(min(n, MOST_TICKETS))])

    def give_back(self, queue: str) -> None:
        """See `TicketBroker`. A consumer hands back by itself what is of no use to it."""

    def ping(self) -> None:
        """See `TicketBroker`. Also keeps the connection of this thread alive."""
        try:
            self.connection.process_data_events(0)
            self.channel.exchange_declare("amq.fanout", passive=True)
        except FAILURES:
            self._let_go()
            raise

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 5000) -> Consumer:  # noqa: ARG002
        return _Consumer(self, queue_name, timeout / 1000)

    def flush(self, queue_name: str) -> None:
        self.channel.queue_delete(self.name_of(queue_name))

    def close(self) -> None:
        """See `TicketBroker`."""
        self.closed.set()
        for connection in list(self.consuming):
            with contextlib.suppress(*FAILURES):
                connection.add_callback_threadsafe(connection.close)
        # Whoever has sent does so no more.
        for connection in list(self.connections):
            with contextlib.suppress(*FAILURES):
                connection.close()

    def _publish(self, queue: str, messages: list[dramatiq.Message[Any]]) -> None:
        try:
            self.declare_on(self.channel, queue)
            for message in messages:
                self.channel.basic_publish("", self.name_of(queue), message.encode())
        except FAILURES:
            self._let_go()
            raise

    def _let_go(self) -> None:
        with contextlib.suppress(*FAILURES):
            del self.connection


class _Consumer(Consumer):
    """It never raises: Dramatiq would write a critical line every three seconds while the server is away."""

    def __init__(self, broker: RabbitmqBroker, queue: str, timeout_s: float) -> None:
        self._broker = broker
        self._queue = queue
        self._timeout_s = timeout_s
        self._connection: pika.BlockingConnection | None = None
        self._channel: Any = None
        self._taken: Any = None
        self._pause_s = _FIRST_PAUSE_S

    def ack(self, message: MessageProxy) -> None:
        """It was acknowledged as it was taken."""

    def nack(self, message: MessageProxy) -> None:
        """A ticket that failed is gone: the poll finds the work."""

    def requeue(self, messages: Any) -> None:
        """Tickets of a worker that stops are gone with it."""

    def __next__(self) -> MessageProxy | None:
        broker = self._broker
        if broker.closed.is_set():
            self._drop()
            return None
        try:
            if self._taken is None:
                self._connect()
            method, _, _ = next(self._taken)
            broker.health.worked(self._queue)
            self._pause_s = _FIRST_PAUSE_S
            if method is None:
                return None
            if not broker.has_room(self._queue) and not method.redelivered:
                # Once: where all are busy it would go round for ever.
                self._channel.basic_nack(method.delivery_tag, requeue=True)
                return None
            self._channel.basic_ack(method.delivery_tag)
            # Whatever was put there, it is a word to look for work, and nothing of it is read.
            return MessageProxy(ticket(self._queue))
        except (*FAILURES, StopIteration) as error:
            self._failed(error)
            return None

    def close(self) -> None:
        self._broker.health.forget(self._queue)
        self._drop()

    def _connect(self) -> None:
        self._connection = connection = pika.BlockingConnection(self._broker.parameters)
        self._broker.consuming.add(connection)
        self._channel = connection.channel()
        self._broker.declare_on(self._channel, self._queue)
        self._channel.basic_qos(prefetch_count=1)
        self._taken = self._channel.consume(self._broker.name_of(self._queue), inactivity_timeout=self._timeout_s)

    def _drop(self) -> None:
        connection, self._connection, self._taken = self._connection, None, None
        if connection is not None:
            self._broker.consuming.discard(connection)
            with contextlib.suppress(*FAILURES):
                connection.close()

    def _failed(self, error: Exception) -> None:
        self._drop()
        if self._broker.closed.is_set():
            return
        self._broker.health.failed(self._queue, error)
        self._broker.closed.wait(self._pause_s)
        self._pause_s = min(_LONGEST_PAUSE_S, self._pause_s * 2)
