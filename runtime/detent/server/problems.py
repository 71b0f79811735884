"""Refusals as RFC 9457 problem documents: a stable `code`, and a sentence that says what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus
from math import ceil
from typing import Any
from urllib.parse import quote

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..errors import DetentError, RateLimited

__all__ = ["HANDLERS", "PROBLEMS", "problem", "refusal_of"]

logger = logging.getLogger("detent.server")

#: Characters of an address that are shown.
_SHOWN = 1_024

#: The statuses that a route may refuse a request with, and for whom to read the codes that go with each.
PROBLEMS = {
    400: "`invalid_options`: a value that cannot be used; `detail` names it and what was expected.",
    401: "`unauthorized`: the key is missing or wrong.",
    403: "`forbidden`: the key does not allow this. `forbidden_host`, `forbidden_origin`: not for this server.",
    404: "`not_found`, `task_not_found`: no such thing in this environment. `no_such_route`: no such address.",
    408: "`request_timeout`: the body stopped coming.",
    409: "`conflict`: the state of things does not allow this.",
    413: "`limit_exceeded`: a size or a count is over its limit.",
    414: "`url_too_long`: the address is over its limit.",
    422: "`invalid_payload`, `unserializable`: the payload does not fit the task's schema.",
    431: "`headers_too_large`: the headers are over their limit.",
    429: "`rate_limited`: too many requests; wait as long as `Retry-After` says.",
    503: "`store_error`, `project_locked`: the store is away for a moment; try again.",
}


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that was refused."""
    title = HTTPStatus(status).phrase
    said = {"type": f"urn:detent:problem:{code}", "title": title, "status": status, "code": code, "detail": detail}
    return _Problem(said, status, headers)


class _Problem(Response):
    """A problem document; `instance` is the address that was asked."""

    media_type = "application/problem+json"

    def __init__(self, said: dict[str, Any], status: int, headers: dict[str, str] | None) -> None:
        super().__init__(msgspec.json.encode(said), status, headers)
        self._said = said

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.body = msgspec.json.encode(self._said | {"instance": quote(scope["path"][:_SHOWN])})
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def refusal_of(error: DetentError) -> Response:
    """The answer to a request that raised `error`."""
    status = error.status if isinstance(error.status, int) else 500
    seconds = error.retry_after if isinstance(error, RateLimited) else None
    headers = {} if seconds is None else {"retry-after": str(ceil(seconds))}
    return problem(status, error.code, error.message, headers)


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, DetentError):
        raise error
    return refusal_of(error)


async def _no_such_route(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    where = f"{request.method} {request.url.path}"
    if error.status_code == HTTPStatus.NOT_FOUND:
        return problem(404, "no_such_route", f"{where} is not part of this server's API")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (error.headers or {}).get("Allow", "other methods")
        detail = f"{where} is not part of this server's API; this path takes {allowed}"
        return problem(405, "method_not_allowed", detail, dict(error.headers or {}))
    code = "request_timeout" if error.status_code == HTTPStatus.REQUEST_TIMEOUT else "http_error"
    return problem(error.status_code, code, error.detail)


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it: the connection broke in the middle of the body


async def _broken(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(
        500,
        "internal_error",
        "the server failed at this request; its log has the cause, try again after a look at it",
    )


HANDLERS = {DetentError: _refused, HTTPException: _no_such_route, ClientDisconnect: _gone, Exception: _broken}
