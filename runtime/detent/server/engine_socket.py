"""The engine protocol on a unix socket: one thread for each connected worker, frames answered in order."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from ..engine import Engine, Session
from ..model.framing import FrameReader, send_frame
from ..model.protocol import Failure, FromEngine, Hello, Push, ToEngine

__all__ = ["EngineSocket"]

logger = logging.getLogger("detent.server")


class EngineSocket:
    """Listens for workers.

    Parameters:
      engine: answers them.
      path: of the socket; only its owner may connect.
      on_gone: called with a worker's hello when its connection has closed.
    """

    def __init__(self, engine: Engine, path: Path, on_gone: Callable[[Hello], None]) -> None:
        self._engine = engine
        self._path = path
        self._on_gone = on_gone
        self._listener: socket.socket | None = None
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
        listener, self._listener = self._listener, None
        if listener is not None:
            _shut(listener)
        with self._lock:
            open_connections = list(self._connections)
        for connection in open_connections:
            _shut(connection)
        self._path.unlink(missing_ok=True)

    def _accept(self, listener: socket.socket) -> None:
        while self._listener is listener:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self._connections.add(connection)
            threading.Thread(target=self._serve, args=(connection,), name="detent-serve", daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        served = _Served(self._engine, connection)
        try:
            served.run()
        except (OSError, msgspec.DecodeError) as error:
            logger.debug("the connection of a worker ended: %s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()
            if served.session is not None:
                self._engine.disconnect(served.session)
            if served.hello is not None and self._listener is not None:
                self._on_gone(served.hello)


class _Served:
    """One connection."""

    def __init__(self, engine: Engine, connection: socket.socket) -> None:
        self._engine = engine
        self._connection = connection
        self._sending = threading.Lock()
        self._encode = msgspec.json.Encoder().encode
        self.session: Session | None = None
        self.hello: Hello | None = None

    def run(self) -> None:
        decode = msgspec.json.Decoder(ToEngine).decode
        reader = FrameReader(self._connection)
        while (body := reader.read()) is not None:
            frame = decode(body)
            if self.session is None:
                self._greet(frame)
            else:
                self._send(FromEngine(frame.id, self._engine.handle(self.session, frame.requests)))

    def _greet(self, frame: ToEngine) -> None:
        hello = frame.requests[0] if frame.requests else None
        if not isinstance(hello, Hello):
            self._send(FromEngine(frame.id, [Failure("invalid_options", "a worker begins with hello")]))
            raise ConnectionError("no hello")
        # The answer must be the first frame on the wire, whatever is pushed meanwhile.
        with self._sending:
            self.session, answer = self._engine.connect(hello, self._push)
            self.hello = hello
            send_frame(self._connection, self._encode(FromEngine(frame.id, [answer])))

    def _push(self, push: Push) -> None:
        try:
            self._send(FromEngine(push=push))
        except OSError as error:
            logger.debug("a push was lost: %s", error)

    def _send(self, frame: FromEngine) -> None:
        body = self._encode(frame)
        with self._sending:
            send_frame(self._connection, body)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    connection.close()

