"""The same tools over streamable HTTP, at ``/mcp`` of a detent server: who calls is told by the API key."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import parse_qs

from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager

from detent.client.http import HttpTransport
from detent.errors import DetentError

from .catalogue import check_names
from .inside import InsideTransport
from .link import Link, linked
from .server import Entry, make_server
from .settings import Settings

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from detent.config import Config

    from .caller import Caller

__all__ = ["McpApp"]

#: Links that are kept warm.
_KEPT = 256
#: An address that is always this server's own, for requests that never leave the process.
_OWN = "http://127.0.0.1"


class _Principal(Protocol):
    @property
    def key_id(self) -> str: ...
    def may(self, scope: str) -> bool: ...


class McpApp:
    """Serves MCP. The layers in front of it have checked Host, Origin and key.

    Parameters:
      api: the server's own API, which each call of a tool is one request to, with the key of whoever calls.
    """

    def __init__(self, api: ASGIApp) -> None:
        self._transport = InsideTransport(api)
        self._links: OrderedDict[tuple[str, ...], Link] = OrderedDict()
        self._manager = StreamableHTTPSessionManager(make_server(Settings(), self._entry))
        self._ends = asyncio.Event()
        self._ready = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        await self._ready.wait()
        principal: _Principal = scope["state"]["principal"]
        # A session belongs to the key that began it.
        token = AccessToken(token="", client_id=principal.key_id, scopes=[])
        await self._manager.handle_request({**scope, "user": AuthenticatedUser(token)}, receive, send)

    def stop(self) -> None:
        """End all sessions. To be called on the event loop."""
        self._ends.set()

    async def _run(self) -> None:
        async with self._manager.run():
            self._ready.set()
            await self._ends.wait()

    def _entry(self, context: Any) -> Entry:
        request = context.request
        principal: _Principal = request.scope["state"]["principal"]
        settings = _settings(request.scope["query_string"].decode("latin-1"))
        return Entry(_Keyed(self, request.headers, settings), settings, principal.may, False, principal.key_id)

    async def link(self, key: str, project: str | None, environment: str | None) -> Link:
        """The link for a key. Errors: those of the API."""
        place = (sha256(key.encode()).hexdigest(), project or "", environment or "")
        link = self._links.get(place)
        if link is None:
            transport = HttpTransport(
                _OWN, key, project=project, environment=environment, http_transport=self._transport
            )
            link = self._links[place] = await linked(transport)
            while len(self._links) > _KEPT:
                self._links.popitem(last=False)
        self._links.move_to_end(place)
        return link


class _Keyed:
    """The environment of a key, or another one that it reaches."""

    def __init__(self, app: McpApp, headers: Any, settings: Settings) -> None:
        self._app = app
        self._headers = headers
        self._settings = settings

    async def open(self, environment: str | None, _caller: Caller, _notes: list[str], *, start: bool = True) -> Link:  # noqa: ARG002  # it runs
        """See `Connecting.open`. Errors: those of the API."""
        key = self._headers.get("authorization", "").partition(" ")[2].strip()
        named = environment or self._headers.get("x-detent-environment")
        return await self._app.link(key, self._headers.get("x-detent-project"), named)

    def folder(self) -> Config | None:
        """None: no files are in reach."""
        return None


def _settings(query: str) -> Settings:
    """The flags in an address such as ``/mcp?toolsets=core,bulk&readonly=true``; what cannot be used is left out."""
    values = {name: tuple(",".join(told).split(",")) for name, told in parse_qs(query).items()}
    settings = Settings(
        toolsets=values.get("toolsets", ("core",)),
        tools=values.get("tools", ()),
        exclude_tools=values.get("exclude_tools", ()),
        readonly=values.get("readonly", ("",))[-1] in ("1", "true", "yes"),
    )
    try:
        check_names(settings)
    except DetentError:
        return Settings(readonly=settings.readonly)
    return settings
