"""The HTTP server: uvicorn on a thread of this process, quiet, quick to stop, and idle without a tick."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import Callable
from threading import Event, Thread
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from ..errors import ConfigError
from ..model.limits import HEADER_BYTES

if TYPE_CHECKING:
    import uvicorn

__all__ = ["HttpServer"]

logger = logging.getLogger("detent.server")

#: How long requests under way may take when the server stops, in seconds.
GRACE_S = 2


class HttpServer:
    """Serves `app` at `host` and `port`.

    Parameters:
      port: 0 takes a free one.
    """

    def __init__(self, app: ASGIApp, host: str = "127.0.0.1", port: int = 0) -> None:
        self._app = app
        self._host = host
        self._port = port
        self._thread: Thread | None = None
        #: Called on the loop when the server stops, before it waits for the requests under way.
        self.on_stop: list[Callable[[], None]] = []
        self._server: _Quiet | None = None

    def start(self) -> str:
        """Listen, and return the URL.

        Errors: `ConfigError` when the port is in use or the host is not one of this machine.
        """
        listener = _bind(self._host, self._port)
        self._port = listener.getsockname()[1]
        self._server = server = _Quiet(self._app, self.on_stop)
        self._thread = Thread(target=server.run, args=(listener,), name="detent-http", daemon=True)
        self._thread.start()
        server.ready.wait()
        if server.failure is not None:
            raise ConfigError(f"the server did not start: {server.failure}") from server.failure
        return self.url

    @property
    def url(self) -> str:
        """The address for clients on this machine."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)  # noqa: S104  # compared with
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def stop(self) -> None:
        """Take no more requests, let those under way end within the grace, and return."""
        if self._server is not None and self._thread is not None:
            self._server.stop()
            self._thread.join(GRACE_S + 3)
            self._server = self._thread = None


class _Quiet:
    """A uvicorn server that waits for its end instead of looking every tenth of a second whether it has
    come."""

    def __init__(self, app: ASGIApp, on_stop: list[Callable[[], None]]) -> None:
        self._on_stop = on_stop
        self.ready = Event()
        self.failure: Exception | None = None
        self._app = app
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end: asyncio.Event | None = None

    def run(self, listener: socket.socket) -> None:
        try:
            asyncio.run(self._serve(listener))
        except Exception as error:
            self.failure = error
            logger.exception("the HTTP server ended")
        finally:
            self.ready.set()

    def stop(self) -> None:
        if self._loop is not None and self._end is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._end.set)

    async def _serve(self, listener: socket.socket) -> None:
        self._loop = asyncio.get_running_loop()
        self._end = asyncio.Event()
        server = self._make()
        server.config.load()
        server.lifespan = server.config.lifespan_class(server.config)
        await server.startup(sockets=[listener])
        self.ready.set()
        await self._end.wait()
        server.should_exit = True
        for stop in self._on_stop:
            stop()
        await _end(server, listener)

    def _make(self) -> uvicorn.Server:
        import uvicorn

        config = uvicorn.Config(
            self._app,
            loop="asyncio",
            http="auto",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            # What is too long up to here is told why, by the app itself.
            h11_max_incomplete_event_size=8 * HEADER_BYTES,
            date_header=False,
            timeout_keep_alive=75,
            timeout_graceful_shutdown=GRACE_S,
        )
        return uvicorn.Server(config)


async def _end(server: uvicorn.Server, listener: socket.socket) -> None:
    for listening in server.servers:
        listening.close()
    listener.close()
    state = server.server_state
    for connection in list(state.connections):
        connection.shutdown()
    # Those that nothing is under way on are closed in the next turn of the loop; uvicorn looks in tenths of a second.
    await asyncio.sleep(0)
    if state.connections or state.tasks:
        await server.shutdown()


def _bind(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except socket.gaierror as error:
        raise ConfigError(f"the host {host!r} is not known ({error.strerror}); listen at 127.0.0.1 or ::1") from None
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise ConfigError(
                f"port {port} is in use at {host}, by another `detent dev` or another program; "
                "choose another with --port 0"
            ) from None
        raise ConfigError(f"cannot listen at {host}:{port} ({error.strerror}); choose another host or port") from None
    return listener
