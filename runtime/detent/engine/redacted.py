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
#: JSON as text, perhaps cut.
_TEXTS = frozenset({"value"})
#: Operations whose answers hold values that were asked for, and no others; or see to it themselves, as feeds do.
_OPEN = ("envvars.", "keys.", "realtime.")


def redacted(operation: str, answer: Any, redactor: Callable[[], Redactor]) -> Any:
    """`answer` to `operation` as it may be shown."""
    if not isinstance(answer, dict) or operation.startswith(_OPEN):
        return answer
    return _shown(answer, redactor())


def _shown(part: Any, redactor: Redactor) -> Any:
    if isinstance(part, dict):
        return {key: _part(key, value, redactor) for key, value in part.items()}
    if isinstance(part, list):
        return [_shown(item, redactor) for item in part] if part and isinstance(part[0], dict | list) else part
    return part


def _part(key: Any, value: Any, redactor: Redactor) -> Any:
    if value is None:
        return None
    if key in _WRITTEN:
        return redactor.data(value)
    if key in _TEXTS and isinstance(value, str):
        return redactor.json_text(value)
    return _shown(value, redactor) if isinstance(value, dict | list) else value
