"""Between the workers of this machine and a server far away: a unix socket here, a link over HTTP there.

Worker processes, those of single runs and the supervisor speak to it as to a server of this machine, and share the
supervisor's link.
"""

from __future__ import annotations

import logging
import shutil
import socket
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from ..errors import DetentError
from ..model.links import HEARTBEAT_S, LinkMade
from .line import Line
from .link_http import LinkHttp, passes

__all__ = ["Relay"]

logger = logging.getLogger("detent.worker")

#: Between one try to reach the server and the next, at first and at most, in seconds.
_FIRST_S, _LONGEST_S = 0.05, 5.0
#: How long the last words of workers may take, in seconds.
_LAST_WORDS_S = 5.0
#: Characters of a path that the address of a unix socket takes everywhere.
_PATH_CHARS = 100


class Relay:
    """Listens for workers of this machine, and carries what they say to the server.

    While the server is away, workers are told so by connections that close: they keep what they execute, and try again.

    Parameters:
      on_refused: called when the server wants nothing to do with these workers any more, say as their key was revoked.
    """

    def __init__(self, http: LinkHttp, on_refused: Callable[[DetentError], None]) -> None:
        self._http = http
        self._on_refused = on_refused
        self._stopped = threading.Event()
        self._line: Line | None = None
        self._carried: set[threading.Thread] = set()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        #: Where workers connect.
        self.socket_path = ""

    def start(self) -> LinkMade:
        """Reach the server and listen; the link that was made. Errors: see `LinkHttp.open`."""
        made = self._http.open()
        folder = tempfile.mkdtemp(prefix="detent-")
        if len(folder) > _PATH_CHARS - 16:
            Path(folder).rmdir()
            folder = tempfile.mkdtemp(prefix="detent-", dir="/tmp")  # of its own, with a name of its own
        self.socket_path = str(Path(folder) / "engine.sock")
        self._listener.bind(self.socket_path)
        self._listener.listen(64)
        self._line = Line(self._http, made, self._refused)
        for act in (self._accept, self._receive, self._show_life):
            threading.Thread(target=act, name="detent-relay", daemon=True).start()
        return made

    def stop(self) -> None:
        """Send what workers said last, and end."""
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in list(self._carried):
            thread.join(_LAST_WORDS_S)
        if self._line is not None:
            self._line.lose()
        self._http.close()
        if self.socket_path:
            shutil.rmtree(Path(self.socket_path).parent, ignore_errors=True)

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if self._stopped.wait(_FIRST_S):
                    return
                logger.warning("a worker cannot connect: %s", error)
                continue
            line = self._line
            if line is None or line.is_lost:
                connection.close()
                continue
            thread = threading.Thread(target=self._carry, args=(line, connection), name="detent-carry", daemon=True)
            self._carried.add(thread)
            thread.start()

    def _carry(self, line: Line, connection: socket.socket) -> None:
        try:
            line.carry(connection)
        finally:
            self._carried.discard(threading.current_thread())

    def _receive(self) -> None:
        """Hold a link for as long as this relay is there."""
        polls = False
        while not self._stopped.is_set() and self._line is not None:
            polls = self._line.receive(polls=polls)
            self._line = self._reopened()

    def _reopened(self) -> Line | None:
        pause = _FIRST_S
        is_told = False
        while not self._stopped.is_set():
            try:
                return Line(self._http, self._http.open(), self._refused)
            except DetentError as error:
                if not passes(error):
                    self._refused(error)
                    return None
                if not is_told:
                    logger.warning("%s; it is tried again", error)
                    is_told = True
            self._stopped.wait(pause)
            pause = min(_LONGEST_S, pause * 2)
        return None

    def _show_life(self) -> None:
        while not self._stopped.wait(HEARTBEAT_S):
            line = self._line
            if line is not None and not line.is_lost:
                line.show_life()

    def _refused(self, error: DetentError) -> None:
        if not self._stopped.is_set():
            self._on_refused(error)
