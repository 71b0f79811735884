"""Refusals as RFC 9457 problem documents: a stable `code`, and a sentence that says what to do."""

from __future__ import annotations

import logging
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ..errors import DetentError

__all__ = ["HANDLERS", "problem"]

logger = logging.getLogger("detent.server")

_STATUS = {
    "conflict": 409,
    "invalid_options": 400,
    "invalid_payload": 422,
    "limit_exceeded": 413,
    "not_found": 404,
    "project_locked": 503,
    "task_not_found": 404,
    "unserializable": 422,
}


def problem(status: int, code: str, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The answer to a request that was refused."""
    body = {"title": HTTPStatus(status).phrase, "status": status, "code": code, "detail": detail}
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json")


async def _refused(_request: Request, error: Exception) -> Response:
    if not isinstance(error, DetentError):
        raise error
    return problem(_STATUS.get(error.code, 500), error.code, error.message)


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
    return problem(error.status_code, "http_error", error.detail)


async def _broken(request: Request, error: Exception) -> Response:
    logger.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return problem(
        500,
        "internal_error",
        "the server failed at this request; its log has the cause, try again after a look at it",
    )


HANDLERS = {DetentError: _refused, HTTPException: _no_such_route, Exception: _broken}
