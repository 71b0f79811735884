"""One link to a server far away, as its supervisor holds it: connections of workers that share two requests."""

from __future__ import annotations

import logging
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress

from ..errors import DetentError
from ..model.links import LINK_BODY_BYTES, DownReader, LinkMade, up_piece
from .link_http import Away, LinkEnded, LinkHttp, Silent

__all__ = ["AWAY_S", "Line"]

logger = logging.getLogger("detent.worker")

#: How long nothing may come through before the link counts as lost, in seconds. Workers then try for `RECONNECT_S`
#: more, which together is within their lease (C3).
AWAY_S = 10.0
#: What may wait to be posted before workers are read no further, in bytes.
_WAITING_BYTES = 16 * 1024 * 1024
#: What is read of a worker at once: a piece fits a body.
_READ_BYTES = 256 * 1024
#: A worker that takes nothing off its connection for this long is cut off, in seconds.
_STUCK_S = 2
#: Between one try and the next, at first and at most, in seconds.
_FIRST_S, _LONGEST_S = 0.05, 1.0


class Line:
    """Carries bytes both ways until it is lost; then all its connections are closed, and workers come back on another.

    Whoever has something to send and finds nobody sending posts all that has gathered, as on a unix socket.

    Parameters:
      made: the link. `on_refused`: called when the server wants nothing to do with this supervisor any more.
    """

    def __init__(self, http: LinkHttp, made: LinkMade, on_refused: Callable[[DetentError], None]) -> None:
        self._http = http
        self._id = made.id
        self._on_refused = on_refused
        self._lost = threading.Event()
        self._lock = threading.Lock()
        self._room = threading.Condition(self._lock)
        self._connections: dict[int, socket.socket] = {}
        self._next = 1
        self._outbox: deque[bytes] = deque()
        self._waiting = 0
        self._sending = threading.Lock()
        self._posted = 0
        self._got = 0
        self._heard_at = time.monotonic()

    @property
    def is_lost(self) -> bool:
        return self._lost.is_set()

    def lose(self) -> None:
        """Nothing comes through any more: close all connections."""
        self._lost.set()
        with self._room:
            connections = list(self._connections.values())
            self._connections.clear()
            self._outbox.clear()
            self._room.notify_all()
        for connection in connections:
            _shut(connection)

    # Up.

    def carry(self, connection: socket.socket) -> None:
        """Carry what a worker says until it or the line has ended, and close the connection."""
        with connection:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _STUCK_S, 0))
            with self._lock:
                if self.is_lost:
                    return
                number = self._next
                self._next += 1
                self._connections[number] = connection
            try:
                while data := connection.recv(_READ_BYTES):
                    self._send(number, data)
            except OSError:
                pass
            with self._lock:
                self._connections.pop(number, None)
            self._send(number, b"")

    def show_life(self) -> None:
        """Post that this supervisor is there, and what has come. To be called every few seconds."""
        with self._sending:
            self._flush(also_nothing=True)
        self._send_rest()

    def _send(self, number: int, data: bytes) -> None:
        with self._room:
            while self._waiting > _WAITING_BYTES and not self.is_lost:
                self._room.wait()
            if self.is_lost:
                return
            self._outbox.append(up_piece(number, data))
            self._waiting += len(data)
        self._send_rest()

    def _send_rest(self) -> None:
        while self._outbox and self._sending.acquire(blocking=False):
            try:
                self._flush()
            finally:
                self._sending.release()

    def _flush(self, *, also_nothing: bool = False) -> None:
        while (self._outbox or also_nothing) and not self.is_lost:
            also_nothing = False
            with self._room:
                pieces: list[bytes] = []
                size = 0
                while self._outbox and size + len(self._outbox[0]) <= LINK_BODY_BYTES:
                    pieces.append(self._outbox.popleft())
                    size += len(pieces[-1])
                self._waiting = max(0, self._waiting - size)
                self._room.notify_all()
            self._posted += 1
            self._post(self._posted, b"".join(pieces))

    def _post(self, number: int, body: bytes) -> None:
        """Post it until it has been taken."""
        began = time.monotonic()
        pause = _FIRST_S
        while not self.is_lost:
            try:
                self._http.post(self._id, number, self._got, body)
            except Away as away:
                if time.monotonic() - began > AWAY_S:
                    logger.warning("the server cannot be reached: %s", away)
                    self.lose()
                self._lost.wait(pause)
                pause = min(_LONGEST_S, pause * 2)
            except LinkEnded:
                self.lose()
            except DetentError as error:
                self._refused(error)
            else:
                return

    # Down.

    def receive(self, *, polls: bool) -> bool:
        """Hand on what comes until the line is lost; whether answers have to be asked for one by one.

        Parameters:
          polls: that they have to, as something on the way holds back long answers until they are whole.
        """
        pause = _FIRST_S
        while not self.is_lost:
            before = self._heard_at
            try:
                self._hear(polls)
                failure: Exception | None = None
            except Away as away:
                failure = away
            except LinkEnded:
                break
            except DetentError as error:
                self._refused(error)
                break
            if self._heard_at != before:
                pause = _FIRST_S
            elif isinstance(failure, Silent) and not polls:
                logger.warning("answers are held back on the way from the server; they are asked for one by one")
                polls = True
            if failure is not None:
                if time.monotonic() - self._heard_at > AWAY_S:
                    logger.warning("the server cannot be reached: %s", failure)
                    break
                self._lost.wait(pause)
                pause = min(_LONGEST_S, pause * 2)
        self.lose()
        return polls

    def _hear(self, polls: bool) -> None:
        reader = DownReader()
        with self._http.stream(self._id, self._got, polls=polls) as chunks:
            for chunk in chunks:
                if self.is_lost:
                    return
                self._heard_at = time.monotonic()
                for number, channel, data in reader.feed(chunk):
                    # What came before comes again where the server does not know that it came.
                    if number > self._got:
                        self._deliver(channel, data)
                        self._got = number

    def _deliver(self, number: int, data: bytes) -> None:
        connection = self._connections.get(number)
        if connection is None:
            return
        if not data:
            _shut(connection)
            return
        try:
            connection.sendall(data)
        except OSError:
            # Part of it may have been taken, after which nothing else makes sense there.
            _shut(connection)

    def _refused(self, error: DetentError) -> None:
        self.lose()
        self._on_refused(error)


def _shut(connection: socket.socket) -> None:
    """Whoever reads from it sees its end."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
