"""Receivers of messages for tests: an HTTP server that notes what comes, and sockets that count who connects."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

__all__ = ["Listeners", "Received", "Receiver", "Reply"]


class Received(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: bytes


class Reply(NamedTuple):
    status: int = 200
    body: bytes = b"ok"
    headers: Mapping[str, str] = {}


class Receiver:
    """An HTTP server on this machine. `reply` says what it answers, and may do something before."""

    def __init__(self, reply: Callable[[Received], Reply] | None = None, host: str = "127.0.0.1") -> None:
        self.received: list[Received] = []
        self.reply = reply or (lambda _received: Reply())
        self._came = threading.Condition()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver._take(self, Received(self.path, headers, body))

            do_GET = do_POST

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer((host, 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self.url = f"http://{host}:{self.port}/hook"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def serve_tls(self, context: ssl.SSLContext) -> None:
        """From now on connections are encrypted."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True, do_handshake_on_connect=True)

    def _take(self, handler: BaseHTTPRequestHandler, received: Received) -> None:
        with self._came:
            self.received.append(received)
            self._came.notify_all()
        reply = self.reply(received)
        with suppress(OSError):  # whoever asked may be gone
            self._answer(handler, reply)

    def _answer(self, handler: BaseHTTPRequestHandler, reply: Reply) -> None:
        handler.send_response(reply.status)
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.send_header("content-length", str(len(reply.body)))
        handler.end_headers()
        handler.wfile.write(reply.body)

    def wait_for(self, n: int, timeout_s: float = 20) -> list[Received]:
        """The first `n` requests, as soon as they have come."""
        with self._came:
            assert self._came.wait_for(lambda: len(self.received) >= n, timeout_s), self.received
            return self.received[:n]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Listeners:
    """Sockets on one port of every address of this machine; `count` is how many connections they have taken."""

    def __init__(self, *hosts: str) -> None:
        self.count = 0
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self.port = 0
        for host in hosts:
            family = socket.AF_INET6 if ":" in host else socket.AF_INET
            listener = socket.socket(family, socket.SOCK_STREAM)
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind((host, self.port))
            self.port = listener.getsockname()[1]
            listener.listen(64)
            self._sockets.append(listener)
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with self._lock:
                self.count += 1
            connection.close()

    def close(self) -> None:
        for listener in self._sockets:
            # A thread that waits in accept keeps the socket alive until it is shut down.
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
