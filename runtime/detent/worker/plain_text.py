"""Text that every other process can read: what runs write may hold anything."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.limits import LOG_LINE_CHARS

__all__ = ["attributes_text", "clean"]

_encode = msgspec.json.Encoder().encode


def clean(text: str) -> str:
    """`text` without lone surrogates, which are not Unicode text and cannot be sent."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def attributes_text(attributes: dict[str, Any]) -> str:
    """Attributes of a line or a span as JSON text; what is not JSON is shown as text."""
    try:
        text = _encode(attributes).decode()
    except (TypeError, ValueError, RecursionError, OverflowError):
        text = _encode({clean(str(name)): _shown(value) for name, value in attributes.items()}).decode()
    if len(text) > LOG_LINE_CHARS:
        text = _encode({"cut": f"attributes of {len(text):,} characters were left out"}).decode()
    return text


def _shown(value: Any) -> Any:
    if value is None or isinstance(value, bool | float):
        return value
    try:
        return clean(str(value)[:LOG_LINE_CHARS])
    except Exception as error:
        return f"<unprintable {type(value).__name__}: {type(error).__name__}>"
