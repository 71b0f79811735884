"""Who may come in: requests for this host, not sent by some other web page, with a good key.

A web page can make a browser send requests to a server on the same machine, also under a name of its own
that it points to 127.0.0.1 (DNS rebinding). So the names in Host and Origin are checked before anything else. Pages of
other origins may come with a public token, which was made for them.

A callback of a token, and a link to an object, come from anywhere and without the key: their address, which nobody can
guess, is the right.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ..accounts import Accounts, Principal
from ..accounts.accounts import WRONG_KEY, Wanted
from ..errors import DetentError, Unauthorized
from ..model.header_text import of_header
from .callbacks import is_callback
from .objects import is_object_link
from .problems import problem, refusal_of

__all__ = ["MCP", "Gate"]

#: Where assistants speak to the server, see docs/mcp.md.
MCP = "/mcp"

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
#: A name or an address, and its port. What is written in any other way is the name of nobody here.
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(?:\.[A-Za-z0-9_-]+)*\.?)(?::([0-9]{0,5}))?")
_LAST_PORT = 65_535
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104  # names of an address to compare with


#: Where a browser's EventSource, which sends no headers of its own, may give its public token in the address.
_STREAMS = "/realtime/"
#: What is about no project in particular: whoever has several finds out here which.
_OF_ANY = ("/api/v1/projects", "/api/v1/orgs")
#: What a page of another origin may send with its public token.
_CORS = {
    "access-control-allow-methods": "GET, POST",
    "access-control-allow-headers": "authorization, content-type, idempotency-key, last-event-id",
    "access-control-max-age": "600",
}


class Gate:
    """The outermost layer of the app.

    Parameters:
      accounts: whose keys are good.
      host: the address or name that the server was told to listen at; a name that requests may use besides the local
        ones. On ``0.0.0.0`` and ``::`` any name may be used. `public_name`: likewise, that of its public address.
      public: method and path of what needs no key.
    """

    def __init__(
        self,
        app: ASGIApp,
        accounts: Accounts,
        host: str,
        public: Collection[tuple[str, str]],
        public_name: str | None = None,
    ) -> None:
        self._app = app
        self._accounts = accounts
        self._any_host = host in _EVERYWHERE
        self._hosts = _LOCAL | {host.lower().strip("[]")} | ({public_name.lower()} if public_name else set())
        self._public = frozenset(public)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan" or is_callback(scope) or is_object_link(scope):
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003, "reason": "this server speaks HTTP only"})
            return
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            detail = f"the Host header {', '.join(hosts)!r} does not name this server; use one of {self._names}"
            # Clients of MCP expect the status that means: not the server that you think.
            status = 421 if scope["path"] == MCP else 403
            await problem(status, "forbidden_host", detail)(scope, receive, send)
            return
        origins = headers.getlist("origin")
        origin = ", ".join(origins) if origins else None
        foreign = origin is not None and not self._is_own_origin(origin)
        if foreign and scope["method"] == "OPTIONS" and "access-control-request-method" in headers:
            await _allowed(send, origin or "")
            return
        try:
            principal = await self._principal(scope, headers)
        except DetentError as error:
            refusal = refusal_of(error)
            if isinstance(error, Unauthorized):
                refusal.headers["www-authenticate"] = 'Bearer realm="detent"'
            await refusal(scope, receive, send)
            return
        if foreign and (principal is None or principal.kind != "public"):
            detail = f"requests from the web page {origin!r} are not taken, unless they come with a public token"
            await problem(403, "forbidden_origin", detail)(scope, receive, send)
            return
        scope.setdefault("state", {})["principal"] = principal
        await self._app(scope, receive, _with_origin(send, origin) if foreign and origin is not None else send)

    async def _principal(self, scope: Scope, headers: Headers) -> Principal | None:
        """The holder of the key; None for what needs none. Errors: `Unauthorized`, `NotFound`."""
        if (scope["method"], scope["path"]) in self._public:
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        key = key.strip()
        if not key and scope["method"] == "GET" and scope["path"].startswith(_STREAMS):
            key = _taken_out(scope, "token")
            if key.startswith("dt_"):
                raise Unauthorized("addresses are written to logs: only a public token may stand in one, not a key")
        elif scheme.lower() != "bearer":
            key = ""
        if not key:
            raise Unauthorized(WRONG_KEY)
        wanted = Wanted(
            project=of_header(headers.get("x-detent-project")),
            environment=of_header(headers.get("x-detent-environment")),
            folder=of_header(headers.get("x-detent-folder-project")),
            of_any=scope["path"].startswith(_OF_ANY),
        )
        known = self._accounts.known(key, wanted)
        return known or await asyncio.to_thread(self._accounts.principal_of, key, wanted)

    @property
    def _names(self) -> str:
        return ", ".join(sorted(f"[{name}]" if ":" in name else name for name in self._hosts))

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        return name is not None and (self._any_host or name in self._hosts)

    def _is_own_origin(self, origin: str) -> bool:
        scheme, separator, host = origin.partition("://")
        return bool(separator) and scheme in {"http", "https"} and self._is_ours(host)


def _taken_out(scope: Scope, name: str) -> str:
    """A value of the query, which nobody behind the gate sees any more."""
    pairs = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    scope["query_string"] = urlencode([pair for pair in pairs if pair[0] != name]).encode("latin-1")
    return next((value for known, value in pairs if known == name), "")


async def _allowed(send: Send, origin: str) -> None:
    """The answer to a browser that asks whether a page of another origin may send its request."""
    headers = _CORS | {"access-control-allow-origin": origin, "vary": "Origin"}
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": 204, "headers": raw})
    await send({"type": "http.response.body", "body": b""})


def _with_origin(send: Send, origin: str) -> Send:
    """`send`, which lets the page of `origin` read the answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["access-control-allow-origin"] = origin
            headers.add_vary_header("Origin")
        await send(message)

    return sending


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port and the brackets of an IPv6 address."""
    found = _HOST.fullmatch(host)
    if found is None or int(found[2] or 0) > _LAST_PORT:
        return None
    return found[1].strip("[]").removesuffix(".").lower()
