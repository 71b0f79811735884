"""News over RabbitMQ: a fanout exchange for each database, and a queue for each engine that goes with it."""

from __future__ import annotations

import contextlib
import time
from threading import get_ident
from typing import Any

import pika

from .health import Health
from .listener import ListeningChannel
from .rabbitmq_broker import FAILURES, connection_parameters

__all__ = ["RabbitmqChannel"]

#: Messages that wait for a slow engine; the oldest are dropped.
_MOST = 1_000
#: How long to listen at once, in seconds.
_TURN_S = 2.0


class RabbitmqChannel(ListeningChannel):
    """See `model.channel.Channel`.

    Parameters:
      url: of the server. `namespace`: of the database whose engines hear each other. `health`: told how it goes.
    """

    def __init__(self, url: str, namespace: str, health: Health | None = None) -> None:
        super().__init__(health or Health(url), FAILURES)
        self._parameters = connection_parameters(url)
        self._exchange = f"{namespace}.news"
        self._connection: pika.BlockingConnection | None = None
        self._channel: Any = None
        self._listens_on = 0

    def send(self, data: bytes) -> None:
        """See `Channel`. It is sent by the thread that listens: a connection belongs to one."""
        connection, channel = self._connection, self._channel
        if connection is None:
            return  # said already
        began = time.perf_counter()

        def publish() -> None:
            channel.basic_publish(self._exchange, "", data)
            self.health.worked("telling", (time.perf_counter() - began) * 1000)

        try:
            connection.add_callback_threadsafe(publish)
        except FAILURES as error:
            self.health.failed("telling", error)

    def connect(self) -> None:
        connection = pika.BlockingConnection(self._parameters)
        channel = connection.channel()
        channel.exchange_declare(self._exchange, "fanout", auto_delete=True)
        queue = channel.queue_declare("", exclusive=True, arguments={"x-max-length": _MOST}).method.queue
        channel.queue_bind(queue, self._exchange)
        channel.basic_consume(queue, self._took, auto_ack=True)
        self._connection, self._channel, self._listens_on = connection, channel, get_ident()

    def listen(self) -> None:
        assert self._connection is not None
        self._connection.process_data_events(_TURN_S)
        if not self._channel.is_open:
            raise ConnectionError("RabbitMQ closed the channel")

    def cut(self) -> None:
        connection = self._connection
        if connection is None:
            return
        with contextlib.suppress(*FAILURES):
            if get_ident() != self._listens_on:
                # It belongs to the thread that listens, which closes it when it is woken.
                connection.add_callback_threadsafe(_nothing)
                return
            self._connection = None
            connection.close()

    def _took(self, _channel: Any, _method: Any, _properties: Any, body: bytes) -> None:
        self.take(body)


def _nothing() -> None:
    """To be woken is all."""
