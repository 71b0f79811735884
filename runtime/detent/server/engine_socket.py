"""The engine protocol on a unix socket: one thread for each connected worker, frames answered in order."""

from __future__ import annotations

import errno
import logging
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from ..engine import Engine, Session
from ..errors import DetentError
from ..model.framing import FrameReader, send_frame
from ..model.protocol import Answer, Ask, Done, Failure, FromEngine, Gone, Hello, Push, ToEngine, Variables

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
        on_exit: Callable[[str, str, bool], None],
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
        served = _Served(self._engine, connection, self._on_exit, self._variables_of)
        try:
            served.run()
        except (OSError, msgspec.DecodeError, DetentError) as error:
            # Of detent's own errors only that of a store that is away comes so far: the worker tries again.
            logger.debug("the connection of a worker ended: %s", error)
        finally:
            with self._lock:
                self._connections.discard(connection)
            connection.close()
            if served.session is not None:
                self._engine.disconnect(served.session)
            if served.hello is not None and not self._stopped.is_set():
                self._on_gone(served.hello)


class _Served:
    """One connection."""

    def __init__(
        self,
        engine: Engine,
        connection: socket.socket,
        on_exit: Callable[[str, str, bool], None],
        variables_of: Callable[[str], Variables],
    ) -> None:
        self._engine = engine
        self._variables_of = variables_of
        self._connection = connection
        self._on_exit = on_exit
        self._sending = threading.Lock()
        self._encode = msgspec.json.Encoder().encode
        self._cut = False
        self.session: Session | None = None
        self.hello: Hello | None = None

    def run(self) -> None:
        decode = msgspec.json.Decoder(ToEngine).decode
        reader = FrameReader(self._connection)
        # What a worker sent before it was cut off must not be granted to nobody.
        while not self._cut and (body := reader.read()) is not None:
            frame = decode(body)
            if self.session is None:
                self._greet(frame)
            else:
                self._answer(self.session, frame)

    def _answer(self, session: Session, frame: ToEngine) -> None:
        match frame.requests:
            case [Ask() as question]:
                self._engine.ask(session, question, lambda answer: self._tell(frame.id, answer))
            case requests:
                verbs = [request for request in requests if not isinstance(request, Ask)]
                if len(verbs) < len(requests):
                    raise ConnectionError("a question shares its frame")
                self._send(FromEngine(frame.id, self._engine.handle(session, verbs)))

    def _tell(self, number: int, answer: Answer) -> None:
        try:
            self._send(FromEngine(number, [answer]))
        except OSError as error:
            logger.debug("an answer was lost: %s", error)

    def _greet(self, frame: ToEngine) -> None:
        if frame.variables_of is not None:
            env = frame.variables_of or self._engine.env
            self._send(FromEngine(frame.id, variables=self._variables_of(env)))
            return
        first = frame.requests[0] if frame.requests else None
        if isinstance(first, Gone):
            self._on_exit(first.worker_id, first.cause, first.stopped)
            self._send(FromEngine(frame.id, [Done()]))
            return
        if not isinstance(first, Hello):
            self._send(FromEngine(frame.id, [Failure("invalid_options", "a worker begins with hello")]))
            raise ConnectionError("no hello")
        # The answer must be the first frame on the wire, whatever is pushed meanwhile.
        with self._sending:
            self.session, answer = self._engine.connect(first, self._push)
            self.hello = first
            send_frame(self._connection, self._encode(FromEngine(frame.id, [answer])))

    def _push(self, push: Push) -> None:
        try:
            self._send(FromEngine(push=push))
        except OSError as error:
            logger.debug("a push was lost: %s", error)

    def _send(self, frame: FromEngine) -> None:
        body = self._encode(frame)
        with self._sending:
            try:
                send_frame(self._connection, body)
            except OSError:
                self._cut = True
                # Part of the frame may be on the wire, after which nothing else makes sense there.
                with suppress(OSError):
                    self._connection.shutdown(socket.SHUT_RDWR)
                raise


def _shut(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    connection.close()
