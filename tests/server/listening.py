"""Reading server-sent events as they come over a socket, without a client that comes back by itself."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.server.project import KEY


class Event(NamedTuple):
    """An event as it was sent."""

    id: str
    event: str
    data: Any


class Listener:
    """One connection. What it hears is kept in order."""

    def __init__(self, url: str, path: str, last: str | None = None, key: str | None = KEY) -> None:
        address = urlsplit(url)
        assert address.hostname is not None
        assert address.port is not None
        self.heard: list[Event] = []
        self.status = 0
        self.headers: dict[str, str] = {}
        self.body = b""
        self._changed = threading.Condition()
        self._over = False
        self._socket = socket.create_connection((address.hostname, address.port), timeout=30)
        head = f"GET {path} HTTP/1.1\r\nHost: {address.netloc}\r\n"
        if key is not None:
            head += f"Authorization: Bearer {key}\r\n"
        if last is not None:
            head += f"Last-Event-ID: {last}\r\n"
        self._socket.sendall(f"{head}\r\n".encode())
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def until(self, fact: Callable[[list[Event]], Any]) -> list[Event]:
        """All that was heard, once `fact` holds of it."""
        with self._changed:
            assert self._changed.wait_for(lambda: fact(self.heard) or self._over, 30), self.heard
            assert fact(self.heard), (self.status, self.body[:500], self.heard)
            return list(self.heard)

    def to_the_end(self) -> list[Event]:
        """All that was heard until the server closed the stream."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._over, 30), self.heard
            return list(self.heard)

    def is_open(self) -> bool:
        """Whether the answer has begun."""
        with self._changed:
            return self._changed.wait_for(lambda: self.status != 0, 30)

    def drop(self) -> None:
        """The connection breaks."""
        self._socket.close()

    def _read(self) -> None:
        try:
            for line in self._lines():
                with self._changed:
                    self._take(line)
                    self._changed.notify_all()
        except (OSError, ValueError):
            pass
        finally:
            with self._changed:
                self._over = True
                self._changed.notify_all()
            self._socket.close()

    def _lines(self) -> Iterator[str]:
        reader = self._socket.makefile("rb")
        status = int(reader.readline().split()[1])
        while (line := reader.readline().strip()) != b"":
            name, _, value = line.decode().partition(":")
            self.headers[name.lower()] = value.strip()
        with self._changed:
            self.status = status
            self._changed.notify_all()
        self._parts: dict[str, str] = {}
        if self.headers.get("transfer-encoding") != "chunked":
            self.body = reader.read(int(self.headers.get("content-length", 0)))
            return
        rest = b""
        while (size := int(reader.readline() or b"0", 16)) > 0:
            rest += reader.read(size)
            reader.readline()
            *lines, rest = rest.split(b"\n")
            yield from (line.decode() for line in lines)

    def _take(self, line: str) -> None:
        if line:
            name, _, value = line.partition(": ")
            self._parts[name] = value
            return
        parts, self._parts = self._parts, {}
        if "data" in parts:
            self.heard.append(Event(parts.get("id", ""), parts.get("event", "message"), json.loads(parts["data"])))


@contextmanager
def listening(url: str, path: str, last: str | None = None, key: str | None = KEY) -> Iterator[Listener]:
    """A listener for the length of a block."""
    listener = Listener(url, path, last, key)
    try:
        yield listener
    finally:
        listener.drop()
