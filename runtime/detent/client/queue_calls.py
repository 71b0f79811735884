"""What clients ask about queues, see `calls`."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter

from ..errors import InvalidOptions
from ..model.duration import Duration, parse_duration
from ..model.queue_views import QueueKeyPage
from ..model.views import QueueView
from .calls import Call

__all__ = [
    "keys_of_queue",
    "list_queues",
    "override_limit",
    "pause_queue",
    "reset_limit",
    "resume_queue",
    "retrieve_queue",
]

_queues = TypeAdapter(list[QueueView])


def list_queues() -> Call[list[QueueView]]:
    return Call("queues.list", {}, lambda answer: _queues.validate_python(answer["items"]))


def retrieve_queue(name: str) -> Call[QueueView]:
    return Call("queues.retrieve", {"id": name}, QueueView.model_validate)


def keys_of_queue(name: str, limit: int, cursor: str | None) -> Call[QueueKeyPage]:
    if not 1 <= limit <= 100:
        raise InvalidOptions(f"limit must be from 1 to 100 keys a page, got {limit}; iterate to read further pages")
    values: dict[str, Any] = {"id": name, "limit": limit}
    if cursor is not None:
        values["cursor"] = cursor
    return Call("queues.keys", values, QueueKeyPage.model_validate)


def pause_queue(name: str) -> Call[QueueView]:
    return Call("queues.pause", {"id": name}, QueueView.model_validate)


def resume_queue(name: str) -> Call[QueueView]:
    return Call("queues.resume", {"id": name}, QueueView.model_validate)


def override_limit(name: str, limit: int, ttl: Duration | None) -> Call[QueueView]:
    values: dict[str, Any] = {"id": name, "limit": limit}
    if ttl is not None:
        values["ttl"] = f"{parse_duration(ttl, 'ttl')}ms"
    return Call("queues.override", values, QueueView.model_validate)


def reset_limit(name: str) -> Call[QueueView]:
    return Call("queues.reset", {"id": name}, QueueView.model_validate)
