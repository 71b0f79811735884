"""Objects over HTTP: by links that are signed and end, and for workers that have no access to the store."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Scope

from ..engine.object_operations import ObjectOperations
from ..engine.payloads import Objects
from ..errors import InvalidPayload, LimitExceeded, NotFound
from ..model.http_api import OBJECT_LINK, WORKER_OBJECT
from ..model.limits import OUTPUT_BYTES
from .bodies import coming
from .doorkeeper import PUBLIC, ScopedRoute, holder_of
from .problems import problem

__all__ = ["ObjectRoutes", "is_object_link"]

_PLACE = OBJECT_LINK.format(key="").encode()
_HEADERS = {
    "cache-control": "private, no-store",
    "x-content-type-options": "nosniff",
    "content-security-policy": "sandbox; default-src 'none'",
    # Whoever has the link may read it, from whatever page.
    "access-control-allow-origin": "*",
}


def is_object_link(scope: Scope) -> bool:
    """Whether this request is for an object by its link, whose signature is all the right that it needs.

    The path counts as it was sent, as for callbacks.
    """
    raw: bytes = scope.get("raw_path") or b"" if scope["type"] == "http" else b""
    return (
        raw.startswith(_PLACE)
        and scope["method"] in ("GET", "HEAD")
        and scope["path"].encode() == raw
        and b"signature=" in scope["query_string"]
    )


class ObjectRoutes:
    """The endpoints.

    Parameters:
      objects: who may read what. `work`: does what blocks, on a thread.
    """

    def __init__(self, objects: ObjectOperations, work: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._objects = objects
        self._work = work

    @property
    def routes(self) -> list[ScopedRoute]:
        return [
            ScopedRoute(OBJECT_LINK.replace("{key}", "{key:path}"), self.by_link, methods=["GET"], needs=PUBLIC),
            ScopedRoute(_WORKERS, self.read, methods=["GET"], needs="workers:write"),
            ScopedRoute(_WORKERS, self.write, methods=["PUT"], needs="workers:write"),
        ]

    async def by_link(self, request: Request) -> Response:
        key = request.path_params["key"]
        expires, signature = (request.query_params.get(name, "") for name in ("expires", "signature"))
        if not await self._work(lambda: self._objects.admits(key, expires, signature)):
            return problem(404, "not_found", "this link is not good, or its time is over; ask for the run again")
        return await self._answer(key)

    async def read(self, request: Request) -> Response:
        key, env = request.path_params["key"], holder_of(request).env
        await self._work(lambda: self._objects.check_readable(env, key))
        return await self._answer(key)

    async def write(self, request: Request) -> Response:
        key = request.path_params["key"]
        digest = self._objects.check_writable(holder_of(request).env, key)
        await self._store.put_stream_async(key, _checked(coming(request), digest))
        return Response(status_code=204)

    @property
    def _store(self) -> Objects:
        if self._objects.store is None:
            raise NotFound("this server keeps no objects")
        return self._objects.store

    async def _answer(self, key: str) -> Response:
        chunks = self._store.get_stream_async(key)
        # The first piece is waited for, so that an object that is not there is a 404.
        first = await anext(chunks, b"")
        return StreamingResponse(_all(first, chunks), media_type="application/json", headers=_HEADERS)


_WORKERS = WORKER_OBJECT.replace("{key}", "{key:path}")


async def _all(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for chunk in rest:
        yield chunk


async def _checked(chunks: AsyncIterator[bytes], digest: str) -> AsyncIterator[bytes]:
    """The body as it comes; what raises here leaves no object. Errors: `LimitExceeded`, `InvalidPayload`."""
    sum_of, size = hashlib.sha256(), 0
    async for chunk in chunks:
        size += len(chunk)
        if size > OUTPUT_BYTES:
            raise LimitExceeded(f"the object has more than {OUTPUT_BYTES:,} bytes (10 MiB), which is the limit")
        sum_of.update(chunk)
        yield chunk
    if sum_of.hexdigest()[: len(digest)] != digest:
        raise InvalidPayload("the object is not what its key says (SHA-256); it was changed on the way, send it again")
