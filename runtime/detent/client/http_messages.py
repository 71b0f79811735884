"""Operations as HTTP requests, and answers as values or errors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from email.utils import parsedate_to_datetime
from time import time
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

import msgspec

from ..errors import DetentError, by_answer
from ..model.http_api import ROUTES, TOLD_ONCE, TRIGGER_BATCH, TRIGGER_TASK, BatchBody, BatchMade, TriggerBody
from ..model.ids import new_id
from ..model.protocol import Handle, NewRun

if TYPE_CHECKING:
    import httpx

__all__ = ["HttpRequest", "error_in", "handles_in", "request_of", "retry_after", "trigger_request", "value_in"]

_PLACE = re.compile(r"\{(\w+)\}")

_encode = msgspec.json.Encoder().encode
_decode_handle = msgspec.json.Decoder(Handle).decode
_decode_batch = msgspec.json.Decoder(BatchMade).decode


class HttpRequest(NamedTuple):
    """What is sent. `repeat`: it may be sent again when it is not known what became of it; `key` makes that so for what
    is not safe to repeat in itself."""

    method: str
    path: str
    body: bytes | None = None
    query: list[tuple[str, Any]] | None = None
    repeat: bool = False
    key: str | None = None

    @property
    def sent(self) -> dict[str, Any]:
        """As httpx takes it."""
        headers = {} if self.key is None else {"idempotency-key": self.key}
        told = {"method": self.method, "url": self.path, "content": self.body, "params": self.query}
        return told | {"headers": headers}


def request_of(operation: str, values: dict[str, Any]) -> HttpRequest:
    """The request for an operation."""
    route = ROUTES[operation]
    rest = dict(values)
    path = _PLACE.sub(lambda place: quote(str(rest.pop(place[1])), safe=""), route.path)
    if route.method != "GET":
        is_once = route.method == "POST" and not route.repeatable and not operation.startswith(TOLD_ONCE)
        key = new_id("call") if is_once else None
        return HttpRequest(route.method, path, _encode(rest), None, route.repeatable or is_once, key)
    query = [(name, _text(item)) for name, value in rest.items() for item in _items(value)]
    return HttpRequest(route.method, path, None, query or None, repeat=True)


def trigger_request(runs: Sequence[NewRun], batch_id: str | None) -> HttpRequest:
    """The request that triggers. Safe to repeat: the ids of the runs are made before."""
    if batch_id is None and len(runs) == 1:
        run = runs[0]
        return HttpRequest("POST", TRIGGER_TASK.format(id=quote(run.task, safe="")), _encode(_body(run)), repeat=True)
    return HttpRequest("POST", TRIGGER_BATCH, _encode(BatchBody([_body(run) for run in runs], batch_id)), repeat=True)


def handles_in(request: HttpRequest, answer: httpx.Response) -> list[Handle]:
    """The runs that were triggered. Errors: those of the server."""
    content = _content(answer)
    return _decode_batch(content).runs if request.path == TRIGGER_BATCH else [_decode_handle(content)]


def value_in(answer: httpx.Response) -> Any:
    """The value that the server answered with. Errors: those of the server."""
    if answer.is_success and answer.headers.get("content-type", "").startswith("text/plain"):
        return answer.text
    try:
        return msgspec.json.decode(_content(answer))
    except msgspec.DecodeError:
        raise _strange(answer) from None


def retry_after(answer: httpx.Response) -> float | None:
    """How long the server wants nothing from us, in seconds; None when it does not say."""
    told = answer.headers.get("retry-after", "")
    try:
        return max(0.0, float(told))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time())
    except (TypeError, ValueError):
        return None


def _content(answer: httpx.Response) -> bytes:
    if answer.is_success and answer.headers.get("content-type", "").startswith("application/json"):
        return answer.content
    raise error_in(answer)


def error_in(answer: httpx.Response) -> DetentError:
    """The error that a problem document (RFC 9457) stands for."""
    try:
        problem = msgspec.json.decode(answer.content)
        return by_answer(problem["code"], problem["detail"], answer.status_code, retry_after(answer))
    except (msgspec.DecodeError, KeyError, TypeError):
        pass
    return _strange(answer)


def _strange(answer: httpx.Response) -> DetentError:
    """The error for what no detent server says."""
    where = answer.request.url.copy_with(query=None)
    if answer.is_redirect:
        detail = (
            f"{where} answered {answer.status_code} and sends to {answer.headers.get('location', 'nowhere')!r}, which "
            "is not followed, as the key is for one address only; set api_url to the final address"
        )
    else:
        detail = (
            f"{where} answered {answer.status_code} and not as detent does: {answer.text[:200]!r}; "
            "check that the address is a detent server's"
        )
    return by_answer("", detail, answer.status_code, retry_after(answer))


def _body(run: NewRun) -> TriggerBody:
    payload = msgspec.Raw((run.payload or "null").encode())
    bare = msgspec.structs.replace(run, payload=None)
    return TriggerBody(payload=payload, run=bare)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _text(value: Any) -> Any:
    return str(value).lower() if isinstance(value, bool) else value
