"""The bodies of triggers as JSON Schema: they are read by `bodies`, not by the annotations of an operation."""

from __future__ import annotations

from typing import Any

from ..model.limits import ATTEMPTS, BATCH_ITEMS, IDEMPOTENCY_KEY_CHARS, NAME_CHARS, TAG_CHARS, TAGS

__all__ = ["BATCH_BODY", "TRIGGER_BODY"]

_LENGTH = {"type": ["string", "number", "null"], "description": 'Seconds, or a text such as "10m".'}
_NAME = {"type": ["string", "null"], "minLength": 1, "maxLength": NAME_CHARS}

_OPTIONS: dict[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "delay": _LENGTH | {"description": "When to start: a time from now, or an ISO-8601 moment with its zone."},
        "ttl": _LENGTH | {"description": "A run not started within this time after its delay expires; 0: never."},
        "idempotency_key": {
            "type": ["string", "array", "null"],
            "items": {"type": "string"},
            "minLength": 1,
            "maxLength": IDEMPOTENCY_KEY_CHARS,
            "description": "A second trigger with this key and the same payload finds the first run.",
        },
        "idempotency_key_ttl": _LENGTH | {"description": "How long the key is kept; 30 days unless set."},
        "concurrency_key": _NAME | {"description": "The tenant, user ... within the queue, served in turn."},
        "queue": {"type": ["string", "object", "null"], "description": "A queue's name, or name and limits."},
        "priority": {"type": ["number", "null"], "description": "Seconds by which it goes before others."},
        "tags": {
            "type": ["array", "string", "null"],
            "items": {"type": "string", "minLength": 1, "maxLength": TAG_CHARS},
            "maxItems": TAGS,
        },
        "metadata": {"type": ["object", "null"], "description": "At most 256 KiB of JSON."},
        "max_attempts": {"type": ["integer", "null"], "minimum": 1, "maximum": ATTEMPTS},
        "max_duration": _LENGTH | {"description": "Executing time of an attempt, at least 1 s."},
        "machine": _NAME,
        "version": {
            "type": ["string", "null"],
            "pattern": r"^[0-9]{8}\.[1-9][0-9]{0,8}$",
            "description": "The deployed version that runs it; the current one when it starts, unless set.",
        },
        "debounce": {
            "type": ["object", "null"],
            "description": "Triggers in quick succession make one run: key, delay, mode, max_delay.",
        },
    },
}

TRIGGER_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {"payload": {"description": "Any JSON value of at most 3 MiB."}, "options": _OPTIONS},
}

BATCH_BODY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "items": {
            "type": "array",
            "minItems": 1,
            "maxItems": BATCH_ITEMS,
            "items": {
                "type": "object",
                "properties": TRIGGER_BODY["properties"] | {"task": {"type": "string", "minLength": 1}},
                "required": ["task"],
            },
        },
        "id": {
            "type": ["string", "null"],
            "pattern": "^batch_[0-9a-f]{32}$",
            "description": "Made by the caller, so that the request can be sent again.",
        },
    },
    "required": ["items"],
}
