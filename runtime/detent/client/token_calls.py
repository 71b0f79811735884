"""What clients ask about tokens, see `calls`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec

from ..errors import InvalidOptions
from ..model.duration import Duration, When, is_moment, parse_duration, parse_when
from ..model.ids import new_id
from ..model.json_text import encode
from ..model.options import idempotency_hash, tags_of
from ..model.views import TokenDetail, TokenPage
from .calls import Call

__all__ = ["complete_token", "create_token", "list_tokens", "retrieve_token", "token_filters"]


def create_token(
    timeout: When | None,
    tags: str | Sequence[str] | None,
    idempotency_key: str | Sequence[str] | None,
    idempotency_key_ttl: Duration | None,
) -> Call[TokenDetail]:
    # The id is made here, so that sending it again makes no second one.
    values: dict[str, Any] = {"id": new_id("waitpoint")}
    if timeout is not None:
        values["timeout"] = _timeout(timeout)
    if tags is not None:
        values["tags"] = tags_of(tags, "token")
    if idempotency_key is not None:
        values["idempotency_key"] = _key(idempotency_key)
    if idempotency_key_ttl is not None:
        values["idempotency_key_ttl"] = f"{parse_duration(idempotency_key_ttl, 'idempotency_key_ttl')}ms"
    return Call("tokens.create", values, TokenDetail.model_validate)


def complete_token(token_id: str, output: Any) -> Call[TokenDetail]:
    # The call has a name of its own, so that sending it again is not taken for another completion.
    text = msgspec.Raw(encode(output, "output").encode())
    return Call("tokens.complete", {"id": token_id, "output": text, "by": new_id("call")}, TokenDetail.model_validate)


def retrieve_token(token_id: str) -> Call[TokenDetail]:
    return Call("tokens.retrieve", {"id": token_id}, TokenDetail.model_validate)


def list_tokens(filters: Mapping[str, Any], cursor: str | None) -> Call[TokenPage]:
    values = dict(filters)
    if cursor is not None:
        values["cursor"] = cursor
    return Call("tokens.list", values, TokenPage.model_validate)


def token_filters(
    status: str | Iterable[str] | None,
    tag: str | Iterable[str] | None,
    idempotency_key: str | Sequence[str] | None,
    limit: int,
) -> dict[str, Any]:
    """The filters of a list as plain values."""
    if not 1 <= limit <= 100:
        raise InvalidOptions(f"limit must be from 1 to 100 tokens a page, got {limit}; iterate to read further pages")
    values: dict[str, Any] = {
        "status": [name.upper() for name in _texts(status)],
        "tag": _texts(tag),
        "idempotency_key": None if idempotency_key is None else _key(idempotency_key),
        "limit": limit,
    }
    return {name: value for name, value in values.items() if value not in (None, [])}


def _texts(value: str | Iterable[str] | None) -> list[str]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _key(value: str | Sequence[str]) -> str:
    """A key of several texts as one; the server hashes either to the same."""
    idempotency_hash(value)
    return value if isinstance(value, str) else "\0".join(value)


def _timeout(value: When) -> str:
    """As text: a length of time stays one, since the store's clock counts it."""
    ms = parse_when(value, 0, "timeout")
    if not is_moment(value):
        return f"{ms}ms"
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
