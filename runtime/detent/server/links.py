"""The links of workers far away: opened with a key that may run workers, and held to the key's environment."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from ..accounts import Principal
from ..accounts.accounts import WRONG_KEY
from ..engine import Engine
from ..errors import Conflict, InvalidOptions, LimitExceeded, NotFound, StoreError, Unauthorized
from ..model.links import (
    CLOCK_MS,
    HEARTBEAT_S,
    LINK_BODY_BYTES,
    LINK_DOWN,
    LINK_PROTOCOL,
    LINK_UP,
    LINKS,
    SILENT_S,
    LinkMade,
    LinkWanted,
    heartbeat,
    own_version,
    up_pieces,
)
from ..model.protocol import Variables
from .bodies import read_body
from .conversation import Conversation, OnExit
from .doorkeeper import ScopedRoute, principal_of
from .link import Link
from .sse import EventResponse

__all__ = ["SCOPE", "Links"]

#: What a key needs to run workers.
SCOPE = "workers:write"
#: Frames that are worked on at once; the others wait their turn.
_THREADS = 32
#: Links at once, and characters of what a supervisor says of itself.
_MOST, _GREETING_BYTES = 10_000, 64 * 1024

_decode = msgspec.json.Decoder(LinkWanted).decode
_encode = msgspec.json.Encoder().encode


class Links:
    """The links of a server.

    Parameters:
      engine: what workers speak to.
      on_exit, variables_of: see `Conversation`.
    """

    def __init__(self, engine: Engine, on_exit: OnExit, variables_of: Callable[[str], Variables]) -> None:
        self._engine = engine
        self._on_exit = on_exit
        self._variables_of = variables_of
        self._links: dict[str, Link] = {}
        self._stopped = False
        self._watching = False
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="detent-link")

    @property
    def routes(self) -> list[ScopedRoute]:
        return [
            ScopedRoute(LINKS, self.open, methods=["POST"], needs=SCOPE),
            ScopedRoute(LINK_UP, self.up, methods=["POST"], needs=SCOPE),
            ScopedRoute(LINK_DOWN, self.down, methods=["GET"], needs=SCOPE),
        ]

    def stop(self) -> None:
        """End all links, on the loop that serves them. Workers come back when the server does."""
        self._stopped = True
        for link in self._links.values():
            link.close()
        self._links.clear()

    def close(self) -> None:
        """Come back when what was said over the links has been dealt with."""
        self._pool.shutdown()

    async def open(self, request: Request) -> Response:
        principal = _who(request)
        body = await read_body(request, _GREETING_BYTES)
        try:
            wanted = _decode(body)
        except msgspec.DecodeError as error:
            raise InvalidOptions(f"this is not how a worker begins: {error}; start it with `detent worker`") from None
        self._check(wanted)
        if self._stopped:
            raise StoreError("the server is being stopped; come back in a moment")
        if len(self._links) >= _MOST:
            raise LimitExceeded(f"{_MOST:,} supervisors of workers are connected; stop some, or start another server")
        loop = asyncio.get_running_loop()
        converse = partial(
            Conversation,
            self._engine,
            on_exit=self._on_exit,
            variables_of=self._variables_of,
            bound=principal.env,
        )
        link = Link(principal.key_id, principal.env, loop, self._pool, converse)
        link_id = f"link_{secrets.token_hex(16)}"
        self._links[link_id] = link
        if not self._watching:
            self._watching = True
            self._watch(loop)
        return _json(LinkMade(link_id, principal.env, principal.env_name), 201)

    async def up(self, request: Request) -> Response:
        link = self._find(request)
        number, got = _whole(request, "n"), _whole(request, "got")
        body = await read_body(request, LINK_BODY_BYTES)
        try:
            pieces = list(up_pieces(body))
        except ValueError as error:
            raise InvalidOptions(f"n={number}: {error}") from None
        if not link.take(number, got, pieces):
            raise Conflict(f"n={number} does not follow what came before; open another link")
        return Response(status_code=204)

    async def down(self, request: Request) -> Response:
        link = self._find(request)
        after, polls = _whole(request, "after"), request.query_params.get("poll") == "1"
        return _Pieces(_polled(link, after) if polls else _streamed(link, after))

    def _check(self, wanted: LinkWanted) -> None:
        """Errors: `InvalidOptions` for a worker that this server cannot work with."""
        if wanted.protocol != LINK_PROTOCOL:
            raise InvalidOptions(
                f"the worker has detent {wanted.version} (protocol {wanted.protocol}), the server {own_version()} "
                f"(protocol {LINK_PROTOCOL}); install the same version on both"
            )
        apart = wanted.now - self._engine.clock.now()
        if abs(apart) > CLOCK_MS:
            order = "ahead of" if apart > 0 else "behind"
            raise InvalidOptions(
                f"the clock of {wanted.host} is {abs(apart) // 1000:,} s {order} the server's; set it right (NTP), as "
                f"moments and logs go by it; {CLOCK_MS // 1000} s are allowed"
            )

    def _find(self, request: Request) -> Link:
        principal = _who(request)
        link = self._links.get(request.path_params["id"])
        if link is None or link.closed or (link.key_id, link.env) != (principal.key_id, principal.env):
            raise NotFound("no such link; it has ended, or is another server's; open another one")
        return link

    def _watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """End links that have been silent, while there are any."""
        ends = loop.time() - SILENT_S
        for link_id, link in list(self._links.items()):
            if link.closed or link.heard_at < ends:
                link.close()
                del self._links[link_id]
        self._watching = bool(self._links)
        if self._watching:
            loop.call_later(HEARTBEAT_S, self._watch, loop)


class _Pieces(EventResponse):
    """Pieces for a supervisor. After a while it asks anew, and its key is looked at again."""

    media_type = "application/octet-stream"


async def _streamed(link: Link, after: int) -> AsyncGenerator[Sequence[bytes], None]:
    reader = link.begin(after)
    yield [heartbeat()]
    while link.is_read_by(reader):
        pieces = link.pieces()
        if pieces:
            yield pieces
        elif not await link.more(HEARTBEAT_S):
            yield [heartbeat()]


async def _polled(link: Link, after: int) -> AsyncGenerator[Sequence[bytes], None]:
    reader = link.begin(after)
    if not link.has_pieces():
        await link.more(HEARTBEAT_S)
    yield [heartbeat(), *(link.pieces() if link.is_read_by(reader) else ())]


def _who(request: Request) -> Principal:
    principal = principal_of(request.scope)
    if principal is None:
        raise Unauthorized(WRONG_KEY)
    return principal


def _whole(request: Request, name: str) -> int:
    text = request.query_params.get(name, "")
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise InvalidOptions(f"{name} is {text!r}; expected a whole number")
    return int(text)


def _json(value: object, status: int) -> Response:
    return Response(_encode(value), status, media_type="application/json")
