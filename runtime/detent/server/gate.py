"""Who may come in: requests with the right key, for this host, not sent by some other web page.

A web page can make a browser send requests to a server on the same machine, also under a name of its own
that it points to 127.0.0.1 (DNS rebinding). So the names in Host and Origin are checked before anything else.

A callback of a token comes from anywhere and without the key: its address, which nobody can guess, is the right.
"""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from ..model.http_api import OPENAPI
from .callbacks import is_callback
from .problems import problem

__all__ = ["Gate"]

_LOCAL = frozenset({"127.0.0.1", "localhost", "::1"})
_EVERYWHERE = frozenset({"0.0.0.0", "::"})  # noqa: S104  # names of an address to compare with


class Gate:
    """The outermost layer of the app.

    Parameters:
      key: the bearer key that every request but a token's callback must carry.
      host: the address or name that the server was told to listen at; a name that requests may use besides
        the
        local ones. On ``0.0.0.0`` and ``::`` any name may be used.
    """

    def __init__(self, app: ASGIApp, key: str, host: str) -> None:
        self._app = app
        self._key = key.encode()
        self._any_host = host in _EVERYWHERE
        self._hosts = _LOCAL | {host.lower().strip("[]")}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1003, "reason": "this server speaks HTTP only"})
            return
        refusal = None if is_callback(scope) else self._refusal(Headers(scope=scope), is_public=_is_public(scope))
        if refusal is None:
            await self._app(scope, receive, send)
            return
        status, code, detail = refusal
        headers = {"www-authenticate": 'Bearer realm="detent"'} if status == 401 else {}
        await problem(status, code, detail, headers)(scope, receive, send)

    def _refusal(self, headers: Headers, *, is_public: bool) -> tuple[int, str, str] | None:
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            detail = f"the Host header {', '.join(hosts)!r} does not name this server; use one of {self._names}"
            return 403, "forbidden_host", detail
        origin = headers.get("origin")
        if origin is not None and not self._is_own_origin(origin):
            return 403, "forbidden_origin", f"requests from the web page {origin!r} are not taken"
        if is_public:
            return None
        scheme, _, key = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(key.strip().encode(), self._key):
            return (
                401,
                "unauthorized",
                "the key is missing or wrong; send `Authorization: Bearer KEY` with the server's key "
                "(DETENT_SECRET_KEY; of a local server it stands in .detent/server.json)",
            )
        return None

    @property
    def _names(self) -> str:
        return ", ".join(sorted(f"[{name}]" if ":" in name else name for name in self._hosts))

    def _is_ours(self, host: str) -> bool:
        name = _name_of(host)
        return name is not None and (self._any_host or name in self._hosts)

    def _is_own_origin(self, origin: str) -> bool:
        scheme, separator, host = origin.partition("://")
        return bool(separator) and scheme in {"http", "https"} and self._is_ours(host)


def _is_public(scope: Scope) -> bool:
    return (scope["method"], scope["path"]) == ("GET", OPENAPI)


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port and the brackets of an IPv6 address."""
    if not host or any(character in host for character in "@/\\?# ,"):
        return None
    try:
        parts = urlsplit(f"//{host}")
        parts.port  # noqa: B018  # raises for what is no port
    except ValueError:
        return None
    return parts.hostname.rstrip(".") if parts.hostname else None
