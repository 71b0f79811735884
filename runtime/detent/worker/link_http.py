"""The requests by which a supervisor keeps its link to a server far away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import httpx
import msgspec

from ..client.http import HttpTransport
from ..client.http_messages import error_in, value_in
from ..errors import DetentError, Forbidden, RateLimited, ServerError, ServerUnreachable, StoreError, Unauthorized
from ..model.links import HEARTBEAT_S, LINK_DOWN, LINK_PROTOCOL, LINK_UP, LINKS, LinkMade, LinkWanted, own_version
from ..model.this_host import this_host

__all__ = ["Away", "LinkEnded", "LinkHttp", "Silent", "passes"]

#: How long the server may take to connect and to take what is posted, in seconds; and to send something down.
_POST_S, _DOWN_S = 5.0, 2 * HEARTBEAT_S + 1.0

_encode = msgspec.json.Encoder().encode


class Away(Exception):  # it passes: the request is made again
    """The server did not answer as it should, for the moment."""


class Silent(Away):
    """Not even a heartbeat came in time."""


class LinkEnded(Exception):  # it is told, and another link is opened
    """The server does not know the link: it was started anew, or took it for lost."""


class LinkHttp:
    """Makes the requests. May be used from several threads; what goes up and what comes down have connections of their
    own, which are kept.

    Parameters: see `HttpTransport`.

    Errors: `ConfigError` for an address or a key that cannot be used.
    """

    def __init__(
        self, url: str, key: str | None, *, project: str | None = None, environment: str | None = None
    ) -> None:
        self._settings = HttpTransport(url, key, project=project, environment=environment).settings()
        self._settings["http2"] = find_spec("h2") is not None
        self._url: str = self._settings["base_url"]
        self._up = self._client()
        self._down = self._client()

    def open(self) -> LinkMade:
        """A new link.

        Errors: `Unauthorized`, `Forbidden`, `InvalidOptions` and others that last; `ServerUnreachable`, `ServerError`,
        `StoreError`, `RateLimited`, which may pass.
        """
        wanted = LinkWanted(LINK_PROTOCOL, own_version(), this_host(), int(time.time() * 1000))
        try:
            answer = self._up.post(LINKS, content=_encode(wanted))
        except httpx.TransportError as error:
            raise ServerUnreachable(
                f"no detent server answers at {self._url} ({_cause(error)}); check --api-url or DETENT_API_URL, "
                "and that the server runs"
            ) from None
        if answer.status_code in (502, 503, 504):
            raise ServerUnreachable(f"the server at {self._url} answers {answer.status_code}; is it started yet?")
        if answer.status_code == httpx.codes.NOT_FOUND and "no_such_route" in answer.text:
            raise ServerError(f"the server at {self._url} takes no workers over HTTP; install the same detent there")
        return msgspec.convert(value_in(answer), LinkMade)

    def post(self, link_id: str, number: int, got: int, body: bytes) -> None:
        """Post what goes up. Errors: `Away`, `LinkEnded`, and of detent's what ends this supervisor."""
        url = LINK_UP.replace("{id}", link_id)
        try:
            answer = self._up.post(url, params={"n": number, "got": got}, content=body)
        except httpx.TransportError as error:
            raise Away(_cause(error)) from None
        if answer.status_code != httpx.codes.NO_CONTENT:
            raise _refusal(answer)

    @contextmanager
    def stream(self, link_id: str, after: int, *, polls: bool) -> Iterator[Iterator[bytes]]:
        """What comes down after the piece `after`: as long as the server sends, or, with `polls`, what is there.

        Errors: `Silent`, and as `post`.
        """
        url = LINK_DOWN.replace("{id}", link_id)
        params = {"after": after, "poll": 1} if polls else {"after": after}
        try:
            with self._down.stream("GET", url, params=params, timeout=httpx.Timeout(_POST_S, read=_DOWN_S)) as answer:
                if answer.status_code != httpx.codes.OK:
                    answer.read()
                    raise _refusal(answer)
                yield answer.iter_raw()
        except httpx.ReadTimeout:
            raise Silent(f"nothing came for {_DOWN_S:g} s") from None
        except httpx.TransportError as error:
            raise Away(_cause(error)) from None

    def close(self) -> None:
        self._up.close()
        self._down.close()

    def _client(self) -> httpx.Client:
        headers = {**self._settings["headers"], "content-type": "application/octet-stream"}
        settings: dict[str, Any] = {**self._settings, "headers": headers, "timeout": _POST_S}
        return httpx.Client(**settings)


def passes(error: DetentError) -> bool:
    """Whether a link may be had later, though not now."""
    return isinstance(error, ServerUnreachable | ServerError | StoreError | RateLimited)


def _refusal(answer: httpx.Response) -> Exception:
    error = error_in(answer)
    if isinstance(error, Unauthorized | Forbidden):
        return error
    if answer.status_code in (httpx.codes.NOT_FOUND, httpx.codes.CONFLICT):
        return LinkEnded(error.message)
    return Away(error.message)


def _cause(error: Exception) -> str:
    return str(error) or type(error).__name__
