"""The transport over HTTP. Requests that are safe to repeat are repeated when the connection breaks."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ..errors import ConfigError, InvalidOptions, ServerUnreachable
from ..model.header_text import in_header
from ..model.protocol import Handle, NewRun
from ..model.transport import FeedEvent
from .bundles import get_bundle, put_bundle
from .events import Follower, hear_end, hear_end_async
from .http_messages import HttpRequest, handles_in, request_of, retry_after, trigger_request, value_in

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpTransport"]

TIMEOUT_S = 30.0
MAX_RETRIES = 3
#: Seconds before the first repetition, how it grows, and the longest; shortened at random by up to a half.
_FIRST_S, _FACTOR, _LONGEST_S = 0.05, 4, 5.0
#: A wait of so long is for a word of the server, in seconds.
_LISTEN_S = 0.5
#: How long a server whose events are followed may be away, in seconds.
AWAY_S = 60.0
#: A longer wait that a server asks for is left to the caller, who is told of it.
_PATIENCE_S = 60.0
_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_AWAY = frozenset({502, 503, 504})
_TOO_MANY = 429


class HttpTransport:
    """Reaches an engine through a server's HTTP API: one request for each call, over connections that are kept. May be
    used from several threads and event loops, and on in a forked process.

    Parameters:
      api_url: the server's address, such as ``http://127.0.0.1:8377``. The key goes there and nowhere else:
        redirects are not followed.
      secret_key: sent as bearer key; ``DETENT_SECRET_KEY`` when None.
      project, environment: what requests are about, where the key is for several; see `Detent`.
      timeout, max_retries, proxy, headers, http_transport: see `HttpOptions`.
      folder_project: slug of the project that the folder of the caller is about, which is meant where `project` is
        not said and the key reaches it.
      advice: what to do when no server answers; the end of the error's sentence.

    Errors: `ConfigError` for an address or a key that cannot be used.
    """

    def __init__(
        self,
        api_url: str,
        secret_key: str | None = None,
        *,
        project: str | None = None,
        environment: str | None = None,
        timeout: float | httpx.Timeout = TIMEOUT_S,
        max_retries: int = MAX_RETRIES,
        proxy: str | httpx.Proxy | None = None,
        headers: Mapping[str, str] | None = None,
        http_transport: httpx.BaseTransport | httpx.AsyncBaseTransport | None = None,
        folder_project: str | None = None,
        advice: str = "start it with `detent dev`, or correct DETENT_API_URL",
    ) -> None:
        self.api_url = _checked(api_url)
        self._key = _sendable(secret_key or os.environ.get("DETENT_SECRET_KEY"))
        self._timeout = timeout
        self._max_retries = max_retries
        self._proxy = proxy
        self._headers = dict(headers or {})
        self._headers |= _about("project", project) | _about("environment", environment)
        self._headers |= _about("folder-project", folder_project)
        self._http_transport = http_transport
        self._advice = advice
        self._lock = Lock()
        self._pid = os.getpid()
        self._client: httpx.Client | None = None
        self._async_clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}

    def __repr__(self) -> str:
        return f"HttpTransport({self.api_url!r})"

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger`."""
        request = trigger_request(runs, batch_id)
        return handles_in(request, self._send(request))

    async def trigger_async(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger_async`."""
        request = trigger_request(runs, batch_id)
        return handles_in(request, await self._send_async(request))

    def call(self, operation: str, **values: Any) -> Any:
        """See `Transport.call`."""
        return value_in(self._send(request_of(operation, values)))

    async def call_async(self, operation: str, **values: Any) -> Any:
        """See `Transport.call_async`."""
        return value_in(await self._send_async(request_of(operation, values)))

    def wait(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`. A short wait is not worth a connection of its own."""
        if most_s < _LISTEN_S or not hear_end(self._open(), _feed_of(run_id), most_s):
            time.sleep(min(most_s, _LISTEN_S))

    async def wait_async(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`."""
        if most_s < _LISTEN_S or not await hear_end_async(self._open_async(), _feed_of(run_id), most_s):
            await asyncio.sleep(min(most_s, _LISTEN_S))

    def follow(
        self, operation: str, values: Mapping[str, Any], after: str | None, patience_s: float = AWAY_S
    ) -> Iterator[FeedEvent]:
        """See `Transport.follow`. `patience_s`: how long the server may be away, in seconds."""
        follower = Follower(request_of(operation, dict(values)), after, self._outcome, patience_s)
        return follower.events(self._open())

    def follow_async(
        self, operation: str, values: Mapping[str, Any], after: str | None, patience_s: float = AWAY_S
    ) -> AsyncIterator[FeedEvent]:
        """See `Transport.follow`."""
        follower = Follower(request_of(operation, dict(values)), after, self._outcome, patience_s)
        return follower.events_async(self._open_async())

    def put_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.put_bundle`."""
        put_bundle(self._open(), digest, path, self._outcome)

    def get_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.get_bundle`."""
        get_bundle(self._open(), digest, path, self._outcome)

    def close(self) -> None:
        """Close the connections of blocking calls. Those of an event loop are closed on it, by `aclose`."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()

    async def aclose(self) -> None:
        """Close the connections of this event loop, and those of blocking calls."""
        with self._lock:
            client = self._async_clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()
        self.close()

    def _send(self, request: HttpRequest) -> httpx.Response:
        import httpx

        client = self._open()
        tried = 0
        while True:
            failure: httpx.TransportError | None = None
            answer: httpx.Response | None = None
            try:
                answer = client.request(**request.sent)
            except httpx.TransportError as error:
                failure = error
            pause = self._pause(request, tried, answer, failure)
            if pause is None:
                return self._outcome(answer, failure)
            tried += 1
            time.sleep(pause)

    async def _send_async(self, request: HttpRequest) -> httpx.Response:
        import httpx

        client = self._open_async()
        tried = 0
        while True:
            failure: httpx.TransportError | None = None
            answer: httpx.Response | None = None
            try:
                answer = await client.request(**request.sent)
            except httpx.TransportError as error:
                failure = error
            pause = self._pause(request, tried, answer, failure)
            if pause is None:
                return self._outcome(answer, failure)
            tried += 1
            await asyncio.sleep(pause)

    def _pause(
        self, request: HttpRequest, tried: int, answer: httpx.Response | None, failure: httpx.TransportError | None
    ) -> float | None:
        """Seconds until the request is sent again; None when it is not."""
        import httpx

        if tried >= self._max_retries:
            return None
        pause: float = min(_LONGEST_S, _FIRST_S * _FACTOR**tried) * random.uniform(0.5, 1)  # noqa: S311  # no secret
        if answer is None:
            # What was never sent may be sent again, whatever it is.
            never_sent = isinstance(failure, httpx.ConnectError | httpx.ConnectTimeout | httpx.PoolTimeout)
            return pause if request.repeat or never_sent else None
        if answer.status_code != _TOO_MANY and not (request.repeat and answer.status_code in _AWAY):
            return None
        wanted = retry_after(answer)
        if wanted is None:
            return pause
        return max(wanted, pause) if wanted <= _PATIENCE_S else None

    def _outcome(self, answer: httpx.Response | None, failure: httpx.TransportError | None) -> httpx.Response:
        if answer is not None:
            return answer
        cause = str(failure) or type(failure).__name__
        raise ServerUnreachable(f"no detent server answers at {self.api_url} ({cause}); {self._advice}") from failure

    def _open(self) -> httpx.Client:
        import httpx

        with self._lock:
            self._leave_to_parent()
            if self._client is None:
                transport = self._http_transport
                if transport is not None and not isinstance(transport, httpx.BaseTransport):
                    raise ConfigError("http_transport is for event loops only; pass an httpx.BaseTransport here")
                self._client = httpx.Client(**self.settings(), transport=transport)
            return self._client

    def _open_async(self) -> httpx.AsyncClient:
        import httpx

        loop = asyncio.get_running_loop()
        with self._lock:
            self._leave_to_parent()
            client = self._async_clients.get(loop)
            if client is None:
                # Connections belong to the loop they were opened on; those of ended loops cannot be closed
                # any more.
                self._async_clients = {
                    known: client for known, client in self._async_clients.items() if not known.is_closed()
                }
                transport = self._http_transport
                if transport is not None and not isinstance(transport, httpx.AsyncBaseTransport):
                    raise ConfigError("http_transport blocks; pass an httpx.AsyncBaseTransport to an AsyncDetent")
                client = httpx.AsyncClient(**self.settings(), transport=transport)
                self._async_clients[loop] = client
            return client

    def _leave_to_parent(self) -> None:
        """In the child of a fork, connections are the parent's: they are neither used nor closed here."""
        if self._pid != os.getpid():
            self._pid = os.getpid()
            _of_parents.append((self._client, self._async_clients))
            self._client, self._async_clients = None, {}

    def settings(self) -> dict[str, Any]:
        """What clients of httpx that speak to this server are made with."""
        import httpx

        headers = {name.lower(): value for name, value in self._headers.items()}
        headers["content-type"] = "application/json"
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        settings: dict[str, Any] = {"base_url": self.api_url, "headers": headers, "timeout": self._timeout}
        # Proxies of the surroundings are for the way out, never for this machine.
        settings["trust_env"] = urlsplit(self.api_url).hostname not in _LOCAL
        if self._proxy is not None:
            settings["proxy"] = self._proxy
        # As many connections as are asked for: each feed that is followed holds one.
        settings["limits"] = httpx.Limits(max_connections=None, max_keepalive_connections=20)
        return settings


def _feed_of(run_id: str) -> HttpRequest:
    return request_of("realtime.run", {"id": run_id})


#: Kept, so that they are not closed where they are collected.
_of_parents: list[object] = []


def _about(what: str, name: str | None) -> dict[str, str]:
    """The header that says which project or environment is meant. Errors: `InvalidOptions`."""
    if name is None:
        return {}
    if not name or not name.isprintable():
        raise InvalidOptions(f"{what} must be a name or an id, got {name!r}")
    return {f"x-detent-{what}": in_header(name)}


def _sendable(key: str | None) -> str | None:
    """The key without the spaces and line ends that come with copying it. Errors: `ConfigError`, without the key."""
    key = None if key is None else key.strip()
    if key and not all("!" <= character <= "~" for character in key):
        raise ConfigError("the key (DETENT_SECRET_KEY) holds spaces, line ends or signs that no key has; copy it again")
    return key


def _checked(api_url: str) -> str:
    """The address without a slash at its end. Errors: `ConfigError`."""
    try:
        parts = urlsplit(api_url)
        is_good = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_good = False
    if not is_good:
        raise ConfigError(f"api_url is {api_url!r}; expected http://HOST:PORT or https://HOST")
    if parts.username is not None or parts.query or parts.fragment:
        raise ConfigError("api_url holds a user, a query or a fragment; expected http://HOST:PORT or https://HOST")
    return api_url.rstrip("/")
