"""Tickets from a broker: words that there may be work for any worker that runs what this one runs."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from typing import Any

import msgspec
from dramatiq import Worker as DramatiqWorker
from dramatiq import actor

from ..broker import Health, open_broker
from ..broker.tickets import ACTOR, TicketBroker
from ..engine.crews import queue_of
from ..model.protocol import Hello

__all__ = ["ClassTickets", "ticket_class_of"]

logger = logging.getLogger("detent.worker")


def ticket_class_of(hello: Hello) -> str:
    """The name of all workers that run what this one does: a digest of its environment, version, tasks and kind."""
    manifest = hello.manifest
    tasks = sorted((task.id, task.sync, task.isolation if hello.isolates else "none") for task in manifest.tasks)
    words = msgspec.json.encode([hello.env, manifest.version, hello.isolates, hello.machines, hello.queues, tasks])
    # Dramatiq wants a letter first.
    return "c" + hashlib.sha256(words).hexdigest()[:15]


class ClassTickets:
    """Takes tickets for as long as the worker has room, and rings it.

    Parameters:
      url: of the broker. `namespace`: of the database, as the engine says.
      ticket_class: of the worker. `has_room`: for plain, or for async, runs. `ring`: the worker.
    """

    def __init__(
        self,
        url: str,
        namespace: str,
        ticket_class: str,
        has_room: Callable[[bool], bool],
        ring: Callable[[bool], None],
    ) -> None:
        self._kinds = {queue_of(ticket_class, sync=sync): sync for sync in (True, False)}
        self._has_room = has_room
        self._ring = ring
        self.health = Health(url)
        self._broker: Any = open_broker(url, namespace, health=self.health, has_room=self._wants)
        first, *others = self._kinds
        actor(broker=self._broker, actor_name=ACTOR, queue_name=first)(self._take)
        for queue in others:
            self._broker.declare_queue(queue)
        # It hands over only: the threads that claim are those of `Tickets`.
        self._dramatiq = DramatiqWorker(self._broker, worker_threads=1, worker_timeout=5_000)

    def start(self) -> None:
        """Begin to take tickets. The broker need not be there."""
        self._dramatiq.start()

    def stop(self) -> None:
        """Take no more."""
        for thread in self._dramatiq.workers:
            thread.stop()
        for consumer in self._dramatiq.consumers.values():
            consumer.stop()
        broker: TicketBroker = self._broker
        broker.close()

    def _wants(self, queue: str) -> bool:
        return self._has_room(self._kinds[queue])

    def _take(self, queue: str) -> None:
        sync = self._kinds.get(queue)
        if sync is None:
            return
        if self._has_room(sync):
            self._ring(sync)
            return
        try:
            # The room was lost while it waited: another may have some.
            self._broker.give_back(queue)
        except Exception as error:  # of whichever client it is; the poll finds the work
            logger.debug("a ticket is lost: %s", error)
