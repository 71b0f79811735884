"""News over PostgreSQL's LISTEN and NOTIFY, for those who have no other broker.

A NOTIFY inside a transaction makes every other commit wait that notifies, too, so news have connections of their own:
one that listens, and one that tells, outside of the transactions that change runs.
"""

from __future__ import annotations

import base64
import contextlib
import time
from itertools import count
from typing import Any

import psycopg

from .health import Health
from .listener import ListeningChannel

__all__ = ["PostgresqlChannel"]

_FAILURES = (psycopg.Error, OSError)
#: How long to connect, in seconds.
_PATIENCE_S = 2
#: How long to listen before it is asked whether the server is there, in seconds.
_SILENT_S = 5.0
#: Bytes of one part of a message: a notification has less than 8,000, and text of three bytes takes four.
_PART = 5_700
#: Messages of which not all parts have come.
_MOST_OPEN = 64


class PostgresqlChannel(ListeningChannel):
    """See `model.channel.Channel`. A message may have any length: it is sent in parts.

    Parameters:
      url: of the database. `namespace`: names the channel. `health`: told how it goes.
    """

    def __init__(self, url: str, namespace: str, health: Health | None = None) -> None:
        super().__init__(health or Health(url, "channel"), _FAILURES)
        self._url = url
        self._name = f"{namespace}_news".replace(":", "_")
        self._listening: psycopg.Connection[Any] | None = None
        self._telling: psycopg.Connection[Any] | None = None
        self._numbers = count()
        self._open: dict[str, list[str | None]] = {}

    def send(self, data: bytes) -> None:
        """See `Channel`."""
        began = time.perf_counter()
        try:
            if self._telling is None or self._telling.closed:
                self._telling = self._connected()
            text = base64.b64encode(data).decode()
            # No other message has this name: a connection's own number, and a counter.
            name = f"{self._telling.info.backend_pid}.{next(self._numbers)}"
            size = _PART * 4 // 3
            parts = [text[at : at + size] for at in range(0, len(text), size)]
            for place, part in enumerate(parts):
                word = f"{name} {place} {len(parts)} {part}"
                self._telling.execute("SELECT pg_notify(%s, %s)", (self._name, word))
        except _FAILURES as error:
            _close(self._telling)
            if not self.closed.is_set():
                self.health.failed("telling", error)
        else:
            self.health.worked("telling", (time.perf_counter() - began) * 1000)

    def connect(self) -> None:
        self._listening = self._connected()
        self._listening.execute(psycopg.sql.SQL("LISTEN {}").format(psycopg.sql.Identifier(self._name)))

    def listen(self) -> None:
        assert self._listening is not None
        heard = False
        for notify in self._listening.notifies(timeout=_SILENT_S, stop_after=1):
            heard = True
            self._put_together(notify.payload)
        if not heard:
            self._listening.execute("SELECT 1")

    def cut(self) -> None:
        _close(self._listening)
        if self.closed.is_set():
            _close(self._telling)

    def _connected(self) -> psycopg.Connection[Any]:
        return psycopg.connect(
            self._url,
            autocommit=True,
            prepare_threshold=None,
            connect_timeout=_PATIENCE_S,
            application_name="detent news",
            keepalives_idle=10,
            tcp_user_timeout=10_000,
        )

    def _put_together(self, word: str) -> None:
        name, place, n, part = word.split(" ", 3)
        parts = self._open.setdefault(name, [None] * int(n))
        parts[int(place)] = part
        whole = [text for text in parts if text is not None]
        if len(whole) == len(parts):
            del self._open[name]
            self.take(base64.b64decode("".join(whole)))
        while len(self._open) > _MOST_OPEN:
            del self._open[next(iter(self._open))]


def _close(connection: psycopg.Connection[Any] | None) -> None:
    if connection is not None:
        with contextlib.suppress(*_FAILURES):
            connection.close()
