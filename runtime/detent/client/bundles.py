"""Bundles of deployments, up and down over HTTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from ..model.bundle_key import check_digest
from ..model.http_api import BUNDLE
from .http_messages import error_in

if TYPE_CHECKING:
    import httpx

__all__ = ["get_bundle", "put_bundle"]

Outcome = Callable[["httpx.Response | None", "httpx.TransportError | None"], "httpx.Response"]

_CHUNK = 256 * 1024
#: How often it is tried while no server answers, and the first pause, in seconds.
_TRIES, _PAUSE_S = 5, 0.2
_AGAIN = frozenset({429, 502, 503, 504})


def put_bundle(client: httpx.Client, digest: str, path: Path, outcome: Outcome) -> None:
    """Upload the file at `path`; the server is asked first whether it has it.

    Parameters:
      outcome: the answer, or the error for none at all.

    Errors: those of the server; `ServerUnreachable`.
    """
    place = BUNDLE.format(digest=check_digest(digest))

    def upload() -> httpx.Response:
        known = client.head(place)
        if known.is_success:
            return known
        return client.put(place, content=_chunks(path), headers={"content-type": "application/octet-stream"})

    answer = _tried(upload, outcome)
    if not answer.is_success:
        raise error_in(answer)


def get_bundle(client: httpx.Client, digest: str, path: Path, outcome: Outcome) -> None:
    """Download a bundle to `path`. Errors: those of the server; `ServerUnreachable`; `InvalidPayload`."""
    from ..deploy.files import write_checked

    place = BUNDLE.format(digest=check_digest(digest))

    def download() -> httpx.Response:
        with client.stream("GET", place) as answer:
            if answer.is_success:
                write_checked(answer.iter_bytes(_CHUNK), digest, path)
            else:
                answer.read()
            return answer

    answer = _tried(download, outcome)
    if not answer.is_success:
        raise error_in(answer)


def _tried(ask: Callable[[], httpx.Response], outcome: Outcome) -> httpx.Response:
    import httpx

    pause = _PAUSE_S
    for left in reversed(range(_TRIES)):
        try:
            answer = ask()
        except httpx.TransportError as error:
            if not left:
                return outcome(None, error)
        else:
            if answer.status_code not in _AGAIN or not left:
                return answer
        time.sleep(pause)
        pause *= 2
    raise AssertionError("unreachable: the last try returns or raises")


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
