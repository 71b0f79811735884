"""Requests with an ``Idempotency-Key``: what comes again is not done again, and gets the same answer."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import Response

from ..accounts import Principal
from ..engine.answers import Answers, key_of

__all__ = ["once"]


def once(
    request: Request, body: bytes, principal: Principal, answers: Answers, work: Callable[[], Response]
) -> Callable[[], Response]:
    """`work`, which is done once for each ``Idempotency-Key`` of the holder of an API key, within a day.

    Errors of what it gives: those of `work`; `Conflict` for another request under the same key, or one under way;
    `InvalidOptions`.
    """
    text = request.headers.get("idempotency-key")
    if text is None or request.method != "POST":
        return work
    asked = b"\0".join((request.method.encode(), request.url.path.encode(), request.url.query.encode(), body))
    digest = hashlib.sha256(asked).hexdigest()

    def work_once() -> Response:
        key = key_of(text, principal.key_id)
        kept = answers.begin(key, digest)
        if kept is not None:
            headers = {"idempotency-replayed": "true"}
            return Response(kept.body, kept.status, headers, media_type="application/json")
        try:
            answer = work()
        except BaseException:
            answers.drop(key)
            raise
        answers.keep(key, answer.status_code, bytes(answer.body))
        return answer

    return work_once
