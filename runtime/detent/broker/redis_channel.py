"""News over Redis: one pub/sub channel for each database."""

from __future__ import annotations

import contextlib
import time
from typing import Any

import redis

from .health import Health
from .listener import ListeningChannel
from .redis_connection import FAILURES, redis_client

__all__ = ["RedisChannel"]

#: How long to listen before it is asked whether the server is there, in seconds.
_SILENT_S = 5.0


class RedisChannel(ListeningChannel):
    """See `model.channel.Channel`.

    Parameters:
      url: of the server. `namespace`: of the database whose engines hear each other. `health`: told how it goes.
    """

    def __init__(self, url: str, namespace: str, health: Health | None = None) -> None:
        super().__init__(health or Health(url), FAILURES)
        self._name = f"{namespace}:news"
        self._client = redis_client(url)
        self._listening = redis_client(url, _SILENT_S)
        self._heard: Any = None

    def send(self, data: bytes) -> None:
        """See `Channel`."""
        began = time.perf_counter()
        try:
            self._client.publish(self._name, data)
        except Exception as error:  # a client whose socket was closed meanwhile raises all kinds of things
            if not self.closed.is_set():
                self.health.failed("telling", error)
        else:
            self.health.worked("telling", (time.perf_counter() - began) * 1000)

    def connect(self) -> None:
        heard = self._listening.pubsub()  # type: ignore[no-untyped-call]  # redis leaves it untyped
        heard.subscribe(self._name)
        # The answer to it: from then on nothing is missed.
        if heard.get_message(timeout=_SILENT_S) is None:
            raise redis.TimeoutError("no answer to SUBSCRIBE")
        self._heard = heard
        self._asked = False

    def listen(self) -> None:
        message = self._heard.get_message(timeout=_SILENT_S)
        if message is None:
            if self._asked:
                raise redis.TimeoutError(f"silent for {2 * _SILENT_S:g} s")
            self._heard.ping()
            self._asked = True
            return
        self._asked = False
        if message["type"] == "message":
            self.take(message["data"])

    def cut(self) -> None:
        heard, self._heard = self._heard, None
        with contextlib.suppress(*FAILURES):
            if heard is not None:
                heard.close()
        # What another thread tells by is its own, for as long as there is something to tell.
        for client in (self._listening, self._client) if self.closed.is_set() else (self._listening,):
            with contextlib.suppress(*FAILURES):
                client.connection_pool.disconnect()
