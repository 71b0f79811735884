"""Answers without secrets: whatever of them comes from users is redacted, ids and names are left as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..model.redaction import Redactor

__all__ = ["redacted"]

#: What stands under these keys of an answer was written by users, or may hold what they wrote.
_WRITTEN = frozenset(
    {
        "attributes", "cause", "data", "error", "expected", "frames", "input", "message", "metadata", "output",
        "paused", "payload", "reason", "received", "rows", "sample", "summary", "traceback", "why",
    }
)  # fmt: skip
#: What only describes values, and may use any name for a part.
_DESCRIBING = frozenset({"output_schema", "payload_schema", "schema"})
#: JSON as text, perhaps cut.
_TEXTS = frozenset({"value"})
#: What plain JSON values are made of.
_CONTAINERS = frozenset({dict, list})
#: Operations whose answers hold values that were asked for, and no others; or see to it themselves, as feeds do.
_OPEN = ("envvars.", "keys.", "realtime.")


def redacted(operation: str, answer: Any, redactor: Callable[[], Redactor]) -> Any:
    """`answer` to `operation` as it may be shown."""
    if not isinstance(answer, dict) or operation.startswith(_OPEN):
        return answer
    return _shown(answer, redactor())


def _shown(part: Any, redactor: Redactor) -> Any:
    """`part`, or a copy of it where something was taken out."""
    if isinstance(part, list):
        items = [_shown(item, redactor) if type(item) in _CONTAINERS else item for item in part]
        return part if all(one is other for one, other in zip(items, part, strict=True)) else items
    changed: dict[str, Any] = {}
    for key, value in part.items():
        shown = value
        if key in _DESCRIBING:
            continue
        if key in _WRITTEN:
            shown = redactor.data(value)
        elif type(value) in _CONTAINERS:
            shown = _shown(value, redactor)
        elif key in _TEXTS and isinstance(value, str):
            shown = redactor.json_text(value)
        if shown is not value:
            changed[key] = shown
            if f"{key}_presigned_url" in part:
                # It leads to the value as it was written.
                changed[f"{key}_presigned_url"] = None
    return part | changed if changed else part
