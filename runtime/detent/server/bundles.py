"""Bundles of deployments over HTTP: taken once, whole and checked; given to supervisors."""

from __future__ import annotations

import tempfile
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

from starlette.concurrency import iterate_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from ..deploy.shelf import Shelf
from ..engine.payloads import Objects
from ..errors import LimitExceeded, NotFound
from ..model.http_api import BUNDLE
from ..model.limits import BUNDLE_BYTES
from .bodies import coming
from .doorkeeper import ScopedRoute, holder_of

__all__ = ["BundleRoutes"]


class BundleRoutes:
    """The endpoints.

    Parameters:
      objects: where bundles are. `work`: does what blocks, on a thread.
    """

    def __init__(self, objects: Objects | None, work: Callable[[Callable[[], Any]], Awaitable[Any]]) -> None:
        self._objects = objects
        self._work = work

    @property
    def routes(self) -> list[ScopedRoute]:
        return [
            ScopedRoute(BUNDLE, self.write, methods=["PUT"], needs="deployments:write"),
            # They are the code of a project, which those who only look have no need of.
            ScopedRoute(BUNDLE, self.read, methods=["GET"], needs="workers:write"),
        ]

    async def write(self, request: Request) -> Response:
        digest, shelf = request.path_params["digest"], self._shelf(request)
        is_there = await self._work(lambda: shelf.has(digest))
        with tempfile.TemporaryDirectory(prefix="detent-") as folder:
            path = Path(folder) / "bundle"
            size = 0
            with path.open("wb") as file:  # the page cache is quicker than a thread
                async for chunk in coming(request):
                    size += len(chunk)
                    if size > BUNDLE_BYTES:
                        raise LimitExceeded(f"a bundle has at most {BUNDLE_BYTES:,} bytes (100 MiB)")
                    if not is_there:
                        file.write(chunk)
            if not is_there:
                await self._work(lambda: shelf.put(digest, path))
        return Response(status_code=204)

    async def read(self, request: Request) -> Response:
        digest, shelf = request.path_params["digest"], self._shelf(request)
        if not await self._work(lambda: shelf.has(digest)):
            raise NotFound(f"no bundle {digest} in this environment; it was not uploaded, or is not kept any more")
        if request.method == "HEAD":
            return Response()
        chunks: Iterator[bytes] = shelf.read(digest)
        return StreamingResponse(iterate_in_threadpool(chunks), media_type="application/octet-stream")

    def _shelf(self, request: Request) -> Shelf:
        return Shelf(self._objects, holder_of(request).env)
