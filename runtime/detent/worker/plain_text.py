"""Text that every other process may read: what runs write may hold anything, secrets too."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.limits import LOG_LINE_CHARS
from .secrets import redactor

__all__ = ["attributes_text", "clean"]

#: Of these the redactor sees every part; others, such as dataclasses, are looked at as the JSON that they become.
_PLAIN = frozenset({str, int, float, bool, type(None)})

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


def clean(text: str) -> str:
    """`text` without secrets, and without lone surrogates, which are not Unicode text and cannot be sent."""
    return redactor().text(text if text.isascii() else text.encode("utf-8", "replace").decode())


def attributes_text(attributes: dict[str, Any]) -> str:
    """Attributes of a line or a span as JSON text, without secrets; what is not JSON is shown as text."""
    hide = redactor().data
    try:
        plain = _PLAIN.issuperset(map(type, attributes.values()))
        text = _encode(hide(attributes) if plain else hide(_decode(_encode(attributes)))).decode()
    except (TypeError, ValueError, RecursionError, OverflowError):
        text = _encode(hide({clean(str(name)): _shown(value) for name, value in attributes.items()})).decode()
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
