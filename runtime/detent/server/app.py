"""The HTTP API over the operations of an engine."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from ..accounts import Principal
from ..accounts.accounts import WRONG_KEY
from ..engine.operations import Operations
from ..engine.stream_operations import StreamOperations
from ..errors import Conflict, NotFound, Unauthorized
from ..model.http_api import (
    BATCH_BODY_BYTES,
    BODY_BYTES,
    CALLBACK_BYTES,
    OPENAPI,
    ROUTES,
    TOKEN_CALLBACK,
    TOLD_ONCE,
    TRIGGER_BATCH,
    TRIGGER_TASK,
    BatchMade,
)
from ..model.http_api import Route as RouteOf
from ..model.limits import INLINE_BYTES
from ..model.protocol import Handle, NewRun
from ..model.rate_limit import Rate
from .beside import Beside
from .bodies import JSON_LINES, batch_lines, batch_of, batch_of_lines, object_of, read_body, run_of, trigger_body
from .bundles import BundleRoutes
from .callbacks import output_of
from .doorkeeper import ANY, PUBLIC, ScopedRoute, check_queues, principal_of
from .following import following
from .gate import MCP, Gate
from .hub import Hub
from .links import Links
from .objects import ObjectRoutes
from .once import once
from .openapi import openapi_document
from .parameters import Parameters
from .problems import HANDLERS, problem
from .rate_limits import RateLimitLayer, RateLimits
from .request_limits import RequestLimits

__all__ = ["make_app", "make_routes"]

T = TypeVar("T")

#: Requests that work in the engine at once; the others wait their turn.
_THREADS = 16
#: Operations that may read or write objects. They have threads of their own, so that a store of objects which does not
#: answer holds up nothing else; so have bodies that are longer than the limit of the rows.
_WITH_OBJECTS = frozenset(
    {"runs.retrieve", "runs.result", "runs.replay", "tokens.retrieve", "tokens.complete", "batches.results"}
)
#: How long the public token that comes with a triggered run is good, in seconds.
_TOKEN_S = 3600
_encode = msgspec.json.Encoder().encode


def make_app(
    operations: Operations,
    *,
    key: str | None = None,
    host: str = "127.0.0.1",
    hub: Hub | None = None,
    rates: Mapping[str, Rate] | None = None,
    links: Links | None = None,
    public_name: str | None = None,
    mcp: Beside | None = None,
) -> ASGIApp:
    """The app of a server.

    Parameters:
      operations: what is served. `key`: whoever has it owns this server; besides it the keys of the accounts are good.
      host: where the server listens, see `Gate`. `hub`: tells those who follow something; one of its own when None.
      rates: how many requests a key may make, see `RateLimits`. `links`: where workers far away connect, if they may.
      public_name: of the server's public address, see `Gate`.
      mcp: what is served at ``/mcp`` to whoever has a key.
    """
    if key is not None:
        operations.accounts.trust(key)
    hub = hub or Hub(operations.streams.shapes, operations.streams.listeners)
    api = _Api(operations)
    routes = _routes(api, operations, hub) + ([] if links is None else links.routes)
    app = Starlette(routes=routes, exception_handlers=HANDLERS)
    # A path with a slash too many is no address; nobody is sent elsewhere.
    app.router.redirect_slashes = False
    app.state.tags_of_run = api.tags_of_run
    public = {(method, route.path) for route in routes if route.needs == PUBLIC for method in route.methods or ()}
    if mcp is not None:
        # A request to it counts once, and not again for what it asks of the API.
        mcp.api = Gate(app, operations.accounts, host, public, public_name)
        # Starlette takes ASGI apps as endpoints, and does not say so.
        endpoint: Any = mcp
        app.router.routes.append(ScopedRoute(MCP, endpoint, methods=["GET", "POST", "DELETE"], needs=ANY))
    limited = RateLimitLayer(app, RateLimits(rates))
    return RequestLimits(Gate(limited, operations.accounts, host, public, public_name))


def make_routes(operations: Operations) -> list[ScopedRoute]:
    """All that a server answers to, each with the scope that it needs."""
    return _routes(_Api(operations), operations, Hub(operations.streams.shapes, operations.streams.listeners))


def _routes(api: _Api, operations: Operations, hub: Hub) -> list[ScopedRoute]:
    routes = [
        ScopedRoute(TRIGGER_BATCH, api.trigger_batch, methods=["POST"], needs="tasks:write"),
        ScopedRoute(_pattern(TRIGGER_TASK), api.trigger, methods=["POST"], needs="tasks:write", public_token=True),
        ScopedRoute(TOKEN_CALLBACK, api.call_back, methods=["POST"], needs=PUBLIC),
        ScopedRoute(OPENAPI, api.openapi, methods=["GET"], needs=PUBLIC),
        *ObjectRoutes(operations.objects, api.on_thread).routes,
        *BundleRoutes(operations.objects.store, partial(api.on_thread, objects=True)).routes,
    ]
    for operation, route in ROUTES.items():
        if route.answer == "events":
            endpoint = following(hub, operation, Parameters(operations.methods[operation]), api.streams_of)
        else:
            endpoint = api.reading(operation) if route.method == "GET" else api.changing(operation, route)
        pattern = _pattern(route.path)
        routes.append(
            ScopedRoute(
                pattern,
                endpoint,
                methods=[route.method],
                needs=route.scope,
                name=operation,
                public_token=route.public_token,
            )
        )
    return routes


def _pattern(path: str) -> str:
    # The id of a task, the names of queues and environments and a key may hold slashes, which arrive decoded.
    for noun in ("tasks", "queues", "idempotencyKeys", "environments"):
        path = path.replace(f"/{noun}/{{id}}", f"/{noun}/{{id:path}}")
    return path


class _Api:
    """The endpoints. The engine blocks, so its work is done on threads."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._by_env = {operations.env: operations}
        self._parameters = {name: Parameters(method) for name, method in operations.methods.items()}
        self._openapi: Response | None = None
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="detent-http")
        self._pool_of_objects = ThreadPoolExecutor(_THREADS, thread_name_prefix="detent-http-objects")

    async def trigger(self, request: Request) -> Response:
        body = await read_body(request, BODY_BYTES)
        task = request.path_params["id"]
        principal, operations = self._of(request)
        key = request.headers.get("idempotency-key")

        def work() -> Handle:
            run = run_of(trigger_body(body), task, key=key)
            check_queues(principal, [run])
            [made] = operations.trigger([run])
            return made if made.cached or operations.serves(task) else msgspec.structs.replace(made, served=False)

        handle = await self.on_thread(work, objects=len(body) > INLINE_BYTES)
        token = self._token(principal, f"runs:read:{handle.id}", f"streams:read:{handle.id}")
        return _json(msgspec.structs.replace(handle, public_access_token=token), 202)

    async def trigger_batch(self, request: Request) -> Response:
        principal, operations = self._of(request)
        read: Callable[[], tuple[str, list[NewRun]]]
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() == JSON_LINES:
            body, items = await batch_lines(request, BATCH_BODY_BYTES)
            read = partial(batch_of_lines, items, request.query_params.get("id"))
        else:
            body = await read_body(request, BATCH_BODY_BYTES)
            read = partial(batch_of, body)

        def work() -> Response:
            batch_id, runs = read()
            check_queues(principal, runs)
            handles = operations.trigger(runs, batch_id)
            token = None if batch_id is None else self._token(principal, f"batches:read:{batch_id}")
            return _json(BatchMade(batch_id, handles, token), 202)

        answered = once(request, body, principal, operations.answers, work)
        return await self.on_thread(answered, objects=len(body) > INLINE_BYTES)

    def _of(self, request: Request) -> tuple[Principal, Operations]:
        """Who asks, and the operations of the environment that they ask about."""
        principal = principal_of(request.scope)
        if principal is None:
            raise Unauthorized(WRONG_KEY)
        return principal, self._in_env(principal.env)

    def streams_of(self, request: Request) -> StreamOperations:
        """The streams of the environment that a request is for."""
        return self._of(request)[1].streams

    def _in_env(self, env: str) -> Operations:
        known = self._by_env.get(env)
        if known is None:
            known = self._by_env[env] = self._operations.in_env(env)
        return known

    def tags_of_run(self, principal: Principal, run_id: str) -> list[str]:
        """The tags of a run, none where there is no such run in reach."""
        try:
            return self._in_env(principal.env).tags_of(run_id)
        except NotFound:
            return []

    def _token(self, principal: Principal, *scopes: str) -> str | None:
        """A public token for what was just made, for whoever may read it anyway."""
        if not principal.limits:
            return None
        allowed = [scope for scope in scopes if principal.may(scope.rpartition(":")[0])]
        accounts = self._operations.accounts
        return accounts.public_tokens.make(principal.env, allowed, accounts.now() / 1000, _TOKEN_S) if allowed else None

    def reading(self, operation: str) -> Callable[[Request], Any]:
        parameters, status = self._parameters[operation], ROUTES[operation].status

        async def endpoint(request: Request) -> Response:
            values = parameters.of_query(request.query_params) | request.path_params
            parameters.check_required(values)
            return await self._answer(request, operation, values, status)

        return endpoint

    async def openapi(self, _request: Request) -> Response:
        if self._openapi is None:
            self._openapi = await self.on_thread(lambda: _json(openapi_document(self._operations.methods)))
        return self._openapi

    async def call_back(self, request: Request) -> Response:
        token_id, digest = request.path_params["id"], request.path_params["digest"]
        if not await self.on_thread(lambda: self._operations.tokens.admits(token_id, digest)):
            return problem(404, "not_found", "this is not the callback address of a token")
        env = await self.on_thread(lambda: self._operations.tokens.env_of(token_id))
        tokens = self._in_env(env or self._operations.env).tokens
        output = output_of(request.headers.get("content-type", ""), await read_body(request, CALLBACK_BYTES))
        try:
            done = partial(tokens.complete_with_text, token_id, output)
            await self.on_thread(done, objects=len(output) * 4 > INLINE_BYTES)
        except Conflict:
            # The outcome itself is not for whoever has no more than the address.
            return problem(409, "conflict", "this token has its outcome already; the first one counts")
        return _json({"success": True})

    def changing(self, operation: str, route: RouteOf) -> Callable[[Request], Any]:
        parameters = self._parameters[operation]

        async def endpoint(request: Request) -> Response:
            body = await read_body(request, route.body_bytes)
            values = parameters.of_body(object_of(body)) | request.path_params
            parameters.check_required(values)
            return await self._answer(request, operation, values, route.status, body)

        return endpoint

    async def _answer(
        self, request: Request, operation: str, values: dict[str, Any], status: int, body: bytes = b""
    ) -> Response:
        written = _text if ROUTES[operation].answer == "text" else _json
        if ROUTES[operation].scope == PUBLIC:
            return await self.on_thread(lambda: written(self._operations.call(operation, **values), status))
        principal, operations = self._of(request)

        def work() -> Response:
            return written(operations.call_as(principal, operation, **values), status)

        if operation.startswith(TOLD_ONCE):
            return await self.on_thread(work)
        answered = once(request, body, principal, operations.answers, work)
        return await self.on_thread(answered, objects=operation in _WITH_OBJECTS)

    async def on_thread(self, work: Callable[[], T], *, objects: bool = False) -> T:
        """What `work` returns. `objects`: it may wait for the store of objects."""
        pool = self._pool_of_objects if objects else self._pool
        return await asyncio.get_running_loop().run_in_executor(pool, partial(work))


def _text(value: str, status: int = 200) -> Response:
    return Response(value, status, media_type="text/plain; version=0.0.4; charset=utf-8")


def _json(value: Any, status: int = 200) -> Response:
    return Response(_encode(value), status, media_type="application/json")
