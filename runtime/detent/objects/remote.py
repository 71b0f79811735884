"""The objects of a project for a worker that has no access to their store: by way of the server."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Self
from urllib.parse import quote

import httpx

from ..errors import DetentError, ServerUnreachable, StoreError, by_answer
from ..model.header_text import in_header
from ..model.http_api import WORKER_OBJECT

__all__ = ["RemoteObjects"]

#: Tries, and the pause after the first in seconds, which doubles.
_TRIES, _PAUSE_S = 5, 0.2
_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
_AGAIN = frozenset({429, 500, 502, 503, 504})


class RemoteObjects:
    """Reads and writes the objects of one environment through a server. May be used from several threads.

    What does not come through is sent again: a key says what the object holds, so that twice is once.

    Parameters:
      api_url: of the server. `key`: one with the scope ``workers:write``.
      project, environment: for a key that is good for several.
    """

    def __init__(self, api_url: str, key: str, *, project: str | None = None, environment: str | None = None) -> None:
        self.address = api_url.rstrip("/")
        headers = {"authorization": f"Bearer {key}", "content-type": "application/json"}
        for name, value in (("x-detent-project", project), ("x-detent-environment", environment)):
            if value is not None:
                headers[name] = in_header(value)
        self._http = httpx.Client(base_url=self.address, headers=headers, timeout=_TIMEOUT)

    def __repr__(self) -> str:
        return f"RemoteObjects({self.address!r})"

    def put(self, key: str, data: bytes) -> None:
        """Write an object. Errors: `Forbidden` for a key of another environment, `LimitExceeded`, `StoreError`,
        `ServerUnreachable`."""
        self._ask("PUT", key, data)

    def get(self, key: str) -> bytes:
        """The whole object. Errors: `NotFound`, `Forbidden`, `StoreError`, `ServerUnreachable`."""
        return self._ask("GET", key).content

    def close(self) -> None:
        """Let the connections go."""
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _ask(self, method: str, key: str, data: bytes | None = None) -> httpx.Response:
        place = WORKER_OBJECT.format(key=quote(key))
        pause = _PAUSE_S
        for left in reversed(range(_TRIES)):
            try:
                answer = self._http.request(method, place, content=data)
            except httpx.TransportError as error:
                if not left:
                    raise ServerUnreachable(
                        f"{self.address} does not answer for the object {key!r} ({type(error).__name__}); check "
                        "DETENT_API_URL and the network"
                    ) from None
            else:
                if answer.is_success:
                    return answer
                if answer.status_code not in _AGAIN or not left:
                    raise _refused(answer, key)
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable: the last try returns or raises")


def _refused(answer: httpx.Response, key: str) -> DetentError:
    try:
        document = answer.json()
        return by_answer(document["code"], document["detail"], answer.status_code)
    except (ValueError, KeyError, TypeError):
        return StoreError(f"the server answered {answer.status_code} for the object {key!r}; try again")
