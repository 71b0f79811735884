"""Requests to addresses that users have named, without lending anybody this server's place in its network (SSRF).

A name is resolved once; every address that it has is checked; the connection goes to an address that was checked,
with the name only in TLS and in the Host header. Redirects are not followed, proxies of the surroundings are not used,
an answer is read no further than needed, and all of it together has a time limit.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from ..errors import InvalidOptions
from ..model.web_address import check_url
from .addresses import Reach

if TYPE_CHECKING:
    import httpx

    from .checked_connections import Resolve

__all__ = ["Answer", "Outbound", "OutboundError"]

#: All of one request together, in seconds.
TOTAL_S = 15.0
#: Bytes of an answer that are read, of which `Answer.head` shows the beginning.
MOST_BYTES = 64 * 1024
HEAD_CHARS = 1_000


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
        self._reach = reach
        self._resolve = resolve or _system_resolve
        self._total_s = total_s
        self._lock = Lock()
        self._client: httpx.Client | None = None

    def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Answer:
        """POST `body`; the answer, whatever its status. Errors: `OutboundError`."""
        import httpcore
        import httpx

        from .checked_connections import Refused

        try:
            check_url(url, "the address")
            with self._opened().stream("POST", url, content=body, headers=dict(headers)) as response:
                head = _beginning(response.iter_raw())
                return Answer(response.status_code, head, dict(response.headers))
        except (InvalidOptions, Refused) as error:
            raise OutboundError(str(error), final=True) from None
        except (httpcore.TimeoutException, httpx.TimeoutException):
            raise OutboundError(f"there was no complete answer within {self._total_s:g} s") from None
        except (httpcore.NetworkError, httpcore.ProtocolError, httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise OutboundError(f"there was no answer: {str(error) or type(error).__name__}") from None

    def close(self) -> None:
        """Close what is open."""
        if self._client is not None:
            self._client.close()

    def _opened(self) -> httpx.Client:
        import httpx

        from .checked_connections import CheckedTransport

        with self._lock:
            if self._client is None:
                transport = CheckedTransport(self._reach, self._resolve, self._total_s)
                self._client = httpx.Client(
                    transport=transport, trust_env=False, follow_redirects=False, timeout=self._total_s
                )
            return self._client


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
