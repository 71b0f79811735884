"""The outermost layer of the app: how long the address and the headers of a request may be."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from ..model.limits import HEADER_BYTES, HEADERS, URL_BYTES
from .problems import problem

__all__ = ["RequestLimits"]


class RequestLimits:
    """Refuses requests whose address or headers are too long, before anything looks at them."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (refusal := _refusal(scope)) is not None:
            status, code, detail = refusal
            await problem(status, code, detail)(scope, receive, send)
            return
        await self._app(scope, receive, send)


def _refusal(scope: Scope) -> tuple[int, str, str] | None:
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    length = len(path) + len(scope["query_string"])
    if length > URL_BYTES:
        detail = f"the address has {length:,} bytes; the limit is {URL_BYTES:,}. Send fewer or shorter filters"
        return 414, "url_too_long", detail
    headers: list[tuple[bytes, bytes]] = scope["headers"]
    if len(headers) > HEADERS:
        detail = f"the request has {len(headers):,} headers; the limit is {HEADERS}. Send fewer"
        return 431, "headers_too_large", detail
    size = sum(len(name) + len(value) for name, value in headers)
    if size > HEADER_BYTES:
        detail = f"the headers have {size:,} bytes; the limit is {HEADER_BYTES:,}. Send shorter ones, or fewer cookies"
        return 431, "headers_too_large", detail
    return None
