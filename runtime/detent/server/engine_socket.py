"""The engine protocol on a unix socket: one thread for each connected worker, frames answered in order."""

from __future__ import annotations

import errno
import logging
import socket
import struct
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import msgspec

from ..engine import Engine
from ..errors import DetentError
from ..model.framing import FrameReader, send_frame
from ..model.protocol import Hello, Variables
from .conversation import Conversation, OnExit

__all__ = ["EngineSocket"]

logger = logging.getLogger("detent.server")

#: A worker that takes nothing off its connection for this long is cut off, so that whoever has something to
#: tell it does not wait for it; it connects again when it comes round. In seconds.
_STUCK_S = 2
#: How long to wait for a free file number, in seconds.
_NO_ROOM_S = 0.2


class EngineSocket:
    """Listens for workers.

    Parameters:
      engine: answers them.
      path: of the socket; only its owner may connect.
      on_gone: called with a worker's hello when its connection has closed.
      on_exit: called when the supervisor of a worker tells of its end.
      variables_of: what a worker of an environment is given before it imports its tasks; nothing unless set.
    """

    def __init__(
        self,
        engine: Engine,
        path: Path,
        on_gone: Callable[[Hello], None],
        on_exit: OnExit,
        variables_of: Callable[[str], Variables] = lambda _env: Variables(),
    ) -> None:
        self._engine = engine
        self._variables_of = variables_of
        self._path = path
        self._on_gone = on_gone
        self._on_exit = on_exit
        self._listener: socket.socket | None = None
        self._stopped = threading.Event()
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()

    def start(self) -> None:
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self._path))
        self._path.chmod(0o600)
        listener.listen(64)
        self._listener = listener
        threading.Thread(target=self._accept, args=(listener,), name="detent-accept", daemon=True).start()

    def stop(self) -> None:
        """Close every connection and the socket."""
        self._stopped.set()
        if self._listener is not None:
            _shut(self._listener)
        with self._lock:
            open_connections = list(self._connections)
        for connection in open_connections:
            _shut(connection)
        self._path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if error.errno not in (errno.EMFILE, errno.ENFILE, errno.ECONNABORTED):
                    return
                logger.warning("a worker cannot connect: %s", error)
                self._stopped.wait(_NO_ROOM_S)
                continue
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", _STUCK_S, 0))
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="detent-serve", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        wire = _Wire(connection)
        conversation = Conversation(self._engine, wire.send, self._on_exit, self._variables_of)
        try:
            reader = FrameReader(connection)
            # What a worker sent before it was cut off must not be granted to nobody.
            while not wire.is_cut and (body := reader.read()) is not None:
                conversation.hear([body, *reader.ready()])
        except (OSError, msgspec.DecodeError, DetentError) as error:
            # Of detent's own errors only that of a store that is away comes so far: the worker tries again.
            logger.debug("the connection of a worker ended: %s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()
            conversation.end()
            if conversation.hello is not None and not self._stopped.is_set():
                self._on_gone(conversation.hello)


class _Wire:
    """The way out of one connection."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.is_cut = False

    def send(self, bodies: Sequence[bytes]) -> None:
        try:
            for body in bodies:
                send_frame(self._connection, body)
        except OSError:
            self.is_cut = True
            # Part of the frame may be on the wire, after which nothing else makes sense there.
            with suppress(OSError):
                self._connection.shutdown(socket.SHUT_RDWR)
            raise


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
