"""Connections to addresses that were checked, and to no others. Imported when something is sent: httpx takes long."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any

import httpcore
import httpx

from .addresses import Reach, refusal

if TYPE_CHECKING:
    import ssl

__all__ = ["CheckedTransport", "Refused", "Resolve"]

#: The addresses of a name.
Resolve = Callable[[str, int], Sequence[str]]

#: The time that a connection to one address may take, in seconds.
CONNECT_S = 5.0
#: Addresses of one name that are tried.
_MOST_ADDRESSES = 3


class Refused(Exception):
    """The name leads where this server does not go."""


class CheckedTransport(httpx.BaseTransport):
    """httpx over connections of our own, one for each request: none is used again for another name.

    Parameters:
      reach: how far they may go. `resolve`: asks for the addresses of a name. `total_s`: the time that one may live, in
        seconds.
    """

    def __init__(self, reach: Reach, resolve: Resolve, total_s: float) -> None:
        self._backend = _Backend(reach, resolve, total_s)
        self._tls: ssl.SSLContext | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if self._tls is None:
            self._tls = httpx.create_ssl_context()
        url = request.url
        pool = httpcore.ConnectionPool(
            self._tls, max_connections=1, max_keepalive_connections=0, network_backend=self._backend
        )
        try:
            answer = pool.handle_request(
                httpcore.Request(
                    request.method,
                    httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                    headers=request.headers.raw,
                    content=request.stream,
                    extensions=request.extensions,
                )
            )
        except BaseException:
            pool.close()
            raise
        assert isinstance(answer.stream, Iterable)
        return httpx.Response(answer.status, headers=answer.headers, stream=_Body(answer, pool))


class _Body(httpx.SyncByteStream):
    """The body of an answer; its connection is closed with it."""

    def __init__(self, answer: httpcore.Response, pool: httpcore.ConnectionPool) -> None:
        self._answer = answer
        self._pool = pool

    def __iter__(self) -> Iterator[bytes]:
        assert isinstance(self._answer.stream, Iterable)
        yield from self._answer.stream

    def close(self) -> None:
        with closing(self._pool):
            self._answer.close()


class _Backend(httpcore.NetworkBackend):
    """Connects to addresses that were checked, never to a name."""

    def __init__(self, reach: Reach, resolve: Resolve, total_s: float) -> None:
        self._reach = reach
        self._resolve = resolve
        self._total_s = total_s
        self._sockets = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ARG002  # there is one for all of it
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        ends = time.monotonic() + self._total_s
        failure: Exception | None = None
        for address in self._checked(host, port)[:_MOST_ADDRESSES]:
            try:
                stream = self._sockets.connect_tcp(
                    address,
                    port,
                    timeout=min(CONNECT_S, _rest(ends, httpcore.ConnectTimeout)),
                    local_address=local_address,
                    socket_options=socket_options,
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Timed(stream, ends)
        assert failure is not None
        raise failure

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ARG002  # of the interface
        socket_options: Iterable[Any] | None = None,  # noqa: ARG002  # likewise
    ) -> httpcore.NetworkStream:
        raise Refused(f"{path} is a socket of this machine")

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)

    def _checked(self, host: str, port: int) -> Sequence[str]:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"the name {host!r} cannot be resolved ({error})") from error
        if not addresses:
            raise httpcore.ConnectError(f"the name {host!r} has no address")
        # One bad address is enough: whoever gives a name both kinds wants the other one to be taken.
        for address in addresses:
            reason = refusal(address, self._reach)
            if reason is not None:
                raise Refused(
                    f"{host} is not connected to: {reason}. Where it is meant, set allow_private_webhooks of the server"
                )
        return addresses


class _Timed(httpcore.NetworkStream):
    """A connection whose every move must end by one moment: a slow drip does not hold a thread."""

    def __init__(self, stream: httpcore.NetworkStream, ends: float) -> None:
        self._stream = stream
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:  # noqa: ARG002  # the end counts
        return self._stream.read(max_bytes, _rest(self._ends, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:  # noqa: ARG002  # likewise
        self._stream.write(buffer, _rest(self._ends, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,  # noqa: ARG002  # likewise
    ) -> httpcore.NetworkStream:
        rest = _rest(self._ends, httpcore.ConnectTimeout)
        return _Timed(self._stream.start_tls(ssl_context, server_hostname, rest), self._ends)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _rest(ends: float, error: type[Exception]) -> float:
    """The time that is left, in seconds."""
    rest = ends - time.monotonic()
    if rest <= 0:
        raise error("its time is over")
    return rest
