"""The HTTP API over the operations of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from ..engine.operations import Operations
from ..errors import Conflict
from ..model.http_api import (
    BATCH_BODY_BYTES,
    BODY_BYTES,
    CALLBACK_BYTES,
    OPENAPI,
    ROUTES,
    TOKEN_CALLBACK,
    TRIGGER_BATCH,
    TRIGGER_TASK,
    BatchMade,
)
from ..model.http_api import Route as RouteOf
from .bodies import batch_of, object_of, read_body, run_of, trigger_body
from .callbacks import output_of
from .gate import Gate
from .openapi import openapi_document
from .parameters import Parameters
from .problems import HANDLERS, problem

__all__ = ["make_app"]

T = TypeVar("T")

#: Requests that work in the engine at once; the others wait their turn.
_THREADS = 16
_encode = msgspec.json.Encoder().encode


def make_app(operations: Operations, *, key: str, host: str = "127.0.0.1") -> ASGIApp:
    """The app of a server.

    Parameters:
      operations: what is served. `key`: the bearer key that requests must carry.
      host: where the server listens, see `Gate`.
    """
    api = _Api(operations)
    routes = [
        Route(TRIGGER_BATCH, api.trigger_batch, methods=["POST"]),
        Route(_pattern(TRIGGER_TASK), api.trigger, methods=["POST"]),
        Route(TOKEN_CALLBACK, api.call_back, methods=["POST"]),
        Route(OPENAPI, api.openapi, methods=["GET"]),
    ]
    for operation, route in ROUTES.items():
        endpoint = api.reading(operation) if route.method == "GET" else api.changing(operation, route)
        routes.append(Route(_pattern(route.path), endpoint, methods=[route.method], name=operation))
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    # A path with a slash too many is no address; nobody is sent elsewhere.
    app.router.redirect_slashes = False
    return Gate(app, key, host)


def _pattern(path: str) -> str:
    # The id of a task, the name of a queue and a key may hold slashes, which arrive decoded.
    for noun in ("tasks", "queues", "idempotencyKeys"):
        path = path.replace(f"/{noun}/{{id}}", f"/{noun}/{{id:path}}")
    return path


class _Api:
    """The endpoints. The engine blocks, so its work is done on threads."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._parameters = {name: Parameters(method) for name, method in operations.methods.items()}
        self._openapi: Response | None = None
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="detent-http")

    async def trigger(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES)
        task = request.path_params["id"]
        handles = await self._do(lambda: self._operations.trigger([run_of(trigger_body(body), task)]))
        return _json(handles[0], 202)

    async def trigger_batch(self, request: Request) -> Response:
        body = await read_body(request, BATCH_BODY_BYTES)

        def work() -> BatchMade:
            batch_id, runs = batch_of(body)
            return BatchMade(batch_id, self._operations.trigger(runs, batch_id))

        return _json(await self._do(work), 202)

    def reading(self, operation: str) -> Callable[[Request], Any]:
        parameters, status = self._parameters[operation], ROUTES[operation].status

        async def endpoint(request: Request) -> Response:
            values = parameters.of_query(request.query_params) | request.path_params
            parameters.check_required(values)
            return await self._answer(operation, values, status)

        return endpoint

    async def openapi(self, _request: Request) -> Response:
        if self._openapi is None:
            self._openapi = await self._do(lambda: _json(openapi_document(self._operations.methods)))
        return self._openapi

    async def call_back(self, request: Request) -> Response:
        token_id, digest = request.path_params["id"], request.path_params["digest"]
        if not await self._do(lambda: self._operations.tokens.admits(token_id, digest)):
            return problem(404, "not_found", "this is not the callback address of a token")
        output = output_of(request.headers.get("content-type", ""), await read_body(request, CALLBACK_BYTES))
        try:
            await self._do(lambda: self._operations.tokens.complete_with_text(token_id, output))
        except Conflict:
            # The outcome itself is not for whoever has no more than the address.
            return problem(409, "conflict", "this token has its outcome already; the first one counts")
        return _json({"success": True})

    def changing(self, operation: str, route: RouteOf) -> Callable[[Request], Any]:
        parameters = self._parameters[operation]

        async def endpoint(request: Request) -> Response:
            values = parameters.of_body(object_of(await read_body(request, route.body_bytes))) | request.path_params
            parameters.check_required(values)
            return await self._answer(operation, values, route.status)

        return endpoint

    async def _answer(self, operation: str, values: dict[str, Any], status: int) -> Response:
        return await self._do(lambda: _json(self._operations.call(operation, **values), status))

    async def _do(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._pool, partial(work))


def _json(value: Any, status: int = 200) -> Response:
    return Response(_encode(value), status, media_type="application/json")
