"""The transport over HTTP. Requests that are safe to repeat are repeated when the connection breaks."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from ..errors import ConfigError, DetentError, ServerUnreachable, by_code
from ..model.http_api import ROUTES, TRIGGER_BATCH, TRIGGER_TASK, BatchBody, BatchMade, TriggerBody
from ..model.protocol import Handle, NewRun

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpTransport"]

#: Seconds before each repetition.
_PAUSES = (0.05, 0.2, 0.6)
_BUSY = frozenset({502, 503, 504})

_encode = msgspec.json.Encoder().encode


_decode_handle = msgspec.json.Decoder(Handle).decode
_decode_batch = msgspec.json.Decoder(BatchMade).decode


class HttpTransport:
    """Reaches an engine through a server's HTTP API. May be used from several threads and event loops.

    Parameters:
      api_url: the server's address, such as ``http://127.0.0.1:8377``.
      secret_key: sent as bearer key; ``DETENT_SECRET_KEY`` when None.
      timeout: seconds to wait for an answer.
      advice: what to do when no server answers; the end of the error's sentence.
      retries: how often a request that is safe to repeat is repeated, at most 3.
    """

    def __init__(
        self,
        api_url: str,
        secret_key: str | None = None,
        *,
        timeout: float = 30.0,
        advice: str = "start it with `detent dev`, or correct DETENT_API_URL",
        retries: int = 3,
    ) -> None:
        if not api_url.startswith(("http://", "https://")):
            raise ConfigError(f"api_url is {api_url!r}; expected http://HOST:PORT or https://HOST")
        self.api_url = api_url.rstrip("/")
        self._key = secret_key or os.environ.get("DETENT_SECRET_KEY")
        self._timeout = timeout
        self._advice = advice
        self._pauses = _PAUSES[:retries]
        self._lock = Lock()
        self._client: httpx.Client | None = None
        self._async_clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger`. Safe to repeat: the ids of the runs are made before."""
        path, body = _trigger_request(runs, batch_id)
        return _handles(path, self._request("POST", path, body, repeat=True))

    async def trigger_async(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger_async`."""
        path, body = _trigger_request(runs, batch_id)
        return _handles(path, await self._request_async("POST", path, body, repeat=True))

    def call(self, operation: str, **values: Any) -> Any:
        """See `Transport.call`."""
        method, path, body, query, repeat = _request_of(operation, values)
        return msgspec.json.decode(self._request(method, path, body, query, repeat=repeat))

    async def call_async(self, operation: str, **values: Any) -> Any:
        """See `Transport.call_async`."""
        method, path, body, query, repeat = _request_of(operation, values)
        return msgspec.json.decode(await self._request_async(method, path, body, query, repeat=repeat))

    def wait(self, run_id: str, most_s: float) -> None:  # noqa: ARG002  # nobody tells this side when it ends
        """See `Transport.wait`."""
        time.sleep(most_s)

    async def wait_async(self, run_id: str, most_s: float) -> None:  # noqa: ARG002  # likewise
        """See `Transport.wait`."""
        await asyncio.sleep(most_s)

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

    def _request(self, method: str, path: str, body: bytes | None = None, query: Any = None, *, repeat: bool) -> bytes:
        import httpx

        client = self._open()
        pauses = self._rests(repeat)
        while True:
            try:
                answer = client.request(method, path, content=body, params=query)
            except httpx.TransportError as error:
                pause = next(pauses, None)
                if pause is None:
                    raise self._unreachable(error) from error
            else:
                pause = next(pauses, None) if answer.status_code in _BUSY else None
                if pause is None:
                    return self._body_of(answer)
            time.sleep(pause)

    async def _request_async(
        self, method: str, path: str, body: bytes | None = None, query: Any = None, *, repeat: bool
    ) -> bytes:
        import httpx

        client = self._open_async()
        pauses = self._rests(repeat)
        while True:
            try:
                answer = await client.request(method, path, content=body, params=query)
            except httpx.TransportError as error:
                pause = next(pauses, None)
                if pause is None:
                    raise self._unreachable(error) from error
            else:
                pause = next(pauses, None) if answer.status_code in _BUSY else None
                if pause is None:
                    return self._body_of(answer)
            await asyncio.sleep(pause)

    def _rests(self, repeat: bool) -> Iterator[float]:
        return iter(self._pauses if repeat else ())

    def _open(self) -> httpx.Client:
        import httpx

        with self._lock:
            if self._client is None:
                self._client = httpx.Client(**self._settings())
            return self._client

    def _open_async(self) -> httpx.AsyncClient:
        import httpx

        loop = asyncio.get_running_loop()
        with self._lock:
            client = self._async_clients.get(loop)
            if client is None:
                # Connections belong to the loop they were opened on; those of ended loops cannot be closed
                # any more.
                self._async_clients = {
                    known: client for known, client in self._async_clients.items() if not known.is_closed()
                }
                client = self._async_clients[loop] = httpx.AsyncClient(**self._settings())
            return client

    def _settings(self) -> dict[str, Any]:
        headers = {"content-type": "application/json"}
        if self._key:
            headers["authorization"] = f"Bearer {self._key}"
        host = self.api_url.partition("://")[2].split("/")[0]
        here = host.startswith(("127.0.0.1", "localhost", "[::1]"))
        # Proxies of the surroundings are for the way out, never for this machine.
        return {"base_url": self.api_url, "headers": headers, "timeout": self._timeout, "trust_env": not here}

    def _body_of(self, answer: httpx.Response) -> bytes:
        if answer.is_success and answer.headers.get("content-type", "").startswith("application/json"):
            return answer.content
        raise _error_of(answer)

    def _unreachable(self, error: Exception) -> ServerUnreachable:
        cause = str(error) or type(error).__name__
        return ServerUnreachable(f"no detent server answers at {self.api_url} ({cause}); {self._advice}")


def _error_of(answer: httpx.Response) -> DetentError:
    """The error that a problem document (RFC 9457) stands for."""
    try:
        problem = msgspec.json.decode(answer.content)
        return by_code(problem["code"], problem["detail"])
    except (msgspec.DecodeError, KeyError, TypeError):
        shown = answer.text[:200]
        return DetentError(
            f"{answer.request.url} answered {answer.status_code} and not as detent does: {shown!r}; "
            "check that the address is a detent server's"
        )


def _trigger_request(runs: Sequence[NewRun], batch_id: str | None) -> tuple[str, bytes]:
    if batch_id is None and len(runs) == 1:
        run = runs[0]
        return TRIGGER_TASK.format(id=quote(run.task, safe="")), _encode(_body(run))
    return TRIGGER_BATCH, _encode(BatchBody([_body(run) for run in runs], batch_id))


def _body(run: NewRun) -> TriggerBody:
    payload = msgspec.Raw((run.payload or "null").encode())
    bare = msgspec.structs.replace(run, payload=None)
    return TriggerBody(payload=payload, run=bare)


def _handles(path: str, content: bytes) -> list[Handle]:
    return _decode_batch(content).runs if path == TRIGGER_BATCH else [_decode_handle(content)]


def _request_of(operation: str, values: dict[str, Any]) -> tuple[str, str, bytes | None, Any, bool]:
    route = ROUTES[operation]
    rest = dict(values)
    path = route.path
    if "{id}" in path:
        path = path.replace("{id}", quote(str(rest.pop("id")), safe=""))
    if route.method == "GET":
        query = [
            (name, item) for name, value in rest.items() for item in (value if isinstance(value, list) else [value])
        ]
        return route.method, path, None, query or None, True
    return route.method, path, _encode(rest), None, route.repeatable
