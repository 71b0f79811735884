"""A worker of Dramatiq that notes the tickets it takes."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import dramatiq
from tests.servers.process import until

from detent.broker import Health, open_broker
from detent.broker.tickets import ACTOR


@contextmanager
def taker(
    url: str, namespace: str, *queues: str, has_room: Callable[[str], bool] = lambda _queue: True
) -> Iterator[queue.SimpleQueue[str]]:
    """The tickets of `queues` as they are taken."""
    taken: queue.SimpleQueue[str] = queue.SimpleQueue()
    broker = open_broker(url, namespace, health=Health(url, quiet=True), has_room=has_room)
    dramatiq.actor(broker=broker, actor_name=ACTOR, queue_name=queues[0])(taken.put)
    for name in queues[1:]:
        broker.declare_queue(name)
    worker = dramatiq.Worker(broker, worker_threads=1, worker_timeout=50)
    worker.start()
    try:
        yield taken
    finally:
        for consumer in worker.consumers.values():
            consumer.stop()
        # One that began to wait just now is told again.
        until("the end of the consumers", lambda: _are_over(broker, worker))
        worker.stop()


def _are_over(broker: Any, worker: dramatiq.Worker) -> bool:
    broker.close()
    return not any(consumer.is_alive() for consumer in worker.consumers.values())
