"""Tickets: words that there may be work, which go through Dramatiq to the threads that claim."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from dramatiq import Worker as DramatiqWorker
from dramatiq import actor

from ..broker import EmbeddedBroker

__all__ = ["Tickets"]

_QUEUE = "detent"


class Tickets:
    """Calls `work` with the kind of each ticket, on one of `threads` threads."""

    def __init__(self, work: Callable[[str], None], threads: int) -> None:
        self._work = work
        broker = EmbeddedBroker()
        self._actor = actor(broker=broker, actor_name="detent_ticket", queue_name=_QUEUE)(self._take)
        self._dramatiq = DramatiqWorker(broker, worker_threads=threads, worker_timeout=5_000)

    def start(self) -> None:
        self._dramatiq.start()

    def send(self, kind: Literal["sync", "async"]) -> None:
        """There may be runs: only async ones, or plain ones, too."""
        self._actor.send(kind)

    def stop(self) -> None:
        """Take no more of them; threads that wait for one end, those that work do so after it."""
        for thread in self._dramatiq.workers:
            thread.stop()
        for consumer in self._dramatiq.consumers.values():
            consumer.stop()
        for _ in self._dramatiq.workers:
            self._actor.send("stop")

    def _take(self, kind: str) -> None:
        if kind != "stop":
            self._work(kind)
