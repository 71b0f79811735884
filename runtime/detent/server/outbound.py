"""Requests to addresses that users have named, without lending anybody this server's place in its network (SSRF).

A name is resolved once; every address that it has is checked; the connection goes to an address that was checked,
with the name only in TLS and in the Host header. Redirects are not followed, proxies of the surroundings are not used,
an answer is read no further than needed, and all of it together has a time limit.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from typing import TYPE_CHECKING, Any, NamedTuple

import httpcore
import httpx

from ..errors import InvalidOptions
from ..model.web_address import check_url
from .addresses import Reach, refusal

if TYPE_CHECKING:
    import ssl

__all__ = ["Answer", "Outbound", "OutboundError", "Resolve"]

#: The addresses of a name.
Resolve = Callable[[str, int], Sequence[str]]

#: All of one request together, and a connection to one address, in seconds.
TOTAL_S, CONNECT_S = 15.0, 5.0
#: Bytes of an answer that are read, of which `Answer.head` shows the beginning.
MOST_BYTES = 64 * 1024
HEAD_CHARS = 1_000
#: Addresses of one name that are tried.
_MOST_ADDRESSES = 3


class OutboundError(Exception):
    """There was no answer. `final`: it would be the same next time."""

    def __init__(self, message: str, *, final: bool = False) -> None:
        super().__init__(message)
        self.final = final


class Answer(NamedTuple):
    """What came back: the status, the beginning of the body, the headers by lower-case names."""

    status: int
    head: str
    headers: Mapping[str, str]


class Outbound:
    """Makes requests. May be used from several threads.

    Parameters:
      reach: how far they may go. `resolve`: asks for the addresses of a name; the system's resolver when None.
      total_s: the time that one request may take in all, in seconds.
    """

    def __init__(
        self, reach: Reach = Reach.PUBLIC, *, resolve: Resolve | None = None, total_s: float = TOTAL_S
    ) -> None:
        self._total_s = total_s
        self._transport = _Transport(_Backend(reach, resolve or _system_resolve, total_s))
        self._client = httpx.Client(
            transport=self._transport, trust_env=False, follow_redirects=False, timeout=total_s, max_redirects=0
        )

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST `body`; the answer, whatever its status. Errors: `OutboundError`."""
        try:
            check_url(url, "the address")
            with self._client.stream("POST", url, content=body, headers=dict(headers)) as response:
                head = _beginning(response.iter_raw())
                return Answer(response.status_code, head, dict(response.headers))
        except InvalidOptions as error:
            raise OutboundError(str(error), final=True) from None
        except _Refused as error:
            raise OutboundError(str(error), final=True) from None
        except (httpcore.TimeoutException, httpx.TimeoutException):
            raise OutboundError(f"there was no complete answer within {self._total_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise OutboundError(f"there was no answer: {str(error) or type(error).__name__}") from None

    def close(self) -> None:
        """Close what is open."""
        self._client.close()


class _Refused(Exception):
    """The name leads where this server does not go."""


def _beginning(chunks: Iterable[bytes]) -> str:
    read = b""
    for chunk in chunks:
        read += chunk
        if len(read) >= MOST_BYTES:
            break
    return read[: HEAD_CHARS * 4].decode("utf-8", "replace")[:HEAD_CHARS]


def _system_resolve(host: str, port: int) -> list[str]:
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(address[0]) for _, _, _, _, address in found))


class _Transport(httpx.BaseTransport):
    """httpx over connections of our own, one for each request: none is used again for another name."""

    def __init__(self, backend: httpcore.NetworkBackend) -> None:
        self._backend = backend
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
        raise _Refused(f"{path} is a socket of this machine")

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
                raise _Refused(
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
