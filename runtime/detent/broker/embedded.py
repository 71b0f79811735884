"""The embedded Dramatiq broker: tickets that arrived on the worker's engine connection, in memory."""

from __future__ import annotations

from collections.abc import Iterable
from queue import Empty, SimpleQueue
from typing import Any

import dramatiq
from dramatiq.broker import Broker, Consumer, MessageProxy
from dramatiq.errors import QueueNotFound

__all__ = ["EmbeddedBroker"]


class EmbeddedBroker(Broker):
    """Hands tickets to the Dramatiq threads of this process.

    It has no default middleware: Dramatiq's would retry a ticket 20 times and stop a run after ten minutes (C10).
    Delays are refused, since timers live in the store.
    """

    def __init__(self) -> None:
        super().__init__(middleware=[])
        self.queues: dict[str, SimpleQueue[dramatiq.Message[Any]]] = {}

    def declare_queue(self, queue_name: str) -> None:
        if queue_name not in self.queues:
            self.emit_before("declare_queue", queue_name)
            self.queues[queue_name] = SimpleQueue()
            self.emit_after("declare_queue", queue_name)

    def enqueue(self, message: dramatiq.Message[Any], *, delay: int | None = None) -> dramatiq.Message[Any]:
        if delay is not None:
            raise ValueError("tickets are not delayed: timers live in the store")
        if message.queue_name not in self.queues:
            raise QueueNotFound(message.queue_name)  # type: ignore[no-untyped-call]  # dramatiq leaves it untyped
        self.queues[message.queue_name].put(message)
        return message

    def consume(self, queue_name: str, prefetch: int = 1, timeout: int = 30_000) -> Consumer:  # noqa: ARG002
        return _Consumer(self.queues[queue_name], timeout)

    def flush(self, queue_name: str) -> None:
        waiting = self.queues[queue_name]
        while not waiting.empty():
            waiting.get_nowait()

    def flush_all(self) -> None:
        for queue_name in self.queues:
            self.flush(queue_name)


class _Consumer(Consumer):
    def __init__(self, waiting: SimpleQueue[dramatiq.Message[Any]], timeout_ms: int) -> None:
        self._waiting = waiting
        self._timeout = timeout_ms / 1000

    def ack(self, message: MessageProxy) -> None:
        """A ticket in memory needs no acknowledgement."""

    def nack(self, message: MessageProxy) -> None:
        """A ticket that failed is gone: the poll finds the work."""

    def requeue(self, messages: Iterable[MessageProxy]) -> None:
        """Tickets of a worker that stops are gone with it."""

    def __next__(self) -> MessageProxy | None:
        try:
            return MessageProxy(self._waiting.get(timeout=self._timeout))
        except Empty:
            return None

    def close(self) -> None:
        """Nothing is held."""
