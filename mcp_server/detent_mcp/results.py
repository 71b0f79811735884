"""Results: small, and never over what a model can take."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

import msgspec

__all__ = ["MOST_TOKENS", "at", "encode", "estimate", "fit", "row", "took"]

#: Tokens of a result, at most.
MOST_TOKENS = 8_000
#: What is aimed at; estimates may be off.
_AIM = 7_000
#: Texts, lists and objects below these are not shortened any further.
_LEAST_TEXT, _LEAST_LIST, _LEAST_OBJECT = 160, 1, 24
_ROUNDS = 200
_PARTS = re.compile(r"[A-Za-z]+|[0-9]+|[^\x00-\x7f]|[^A-Za-z0-9\s]")
_encoder = msgspec.json.Encoder(decimal_format="number")


def encode(value: Any) -> str:
    """Compact JSON text."""
    return _encoder.encode(value).decode()


def estimate(text: str) -> int:
    """About how many tokens a text has for a model; rather too many than too few.

    Words have one for each six letters, numbers one for each three digits, signs half of one, and what is not ASCII one
    for each character.
    """
    halves = 0
    for part in _PARTS.findall(text):
        first = part[0]
        if first > "\x7f":
            halves += 2
        elif first.isalpha():
            halves += 2 * ((len(part) + 5) // 6)
        elif first.isdigit():
            halves += 2 * ((len(part) + 2) // 3)
        else:
            halves += 1
    return halves // 2


def row(**values: Any) -> dict[str, Any]:
    """The values that say something: not None, and not an empty text or container."""
    return {name: value for name, value in values.items() if value is not None and value not in ("", [], {})}


def at(moment: str | datetime | None) -> str | None:
    """A moment to the second: ``2026-11-22T18:05:00Z``."""
    if moment is None:
        return None
    text = moment if isinstance(moment, str) else moment.isoformat()
    return f"{text[:19]}Z"


def took(ms: float | None) -> str | None:
    """A length of time as people say it: ``850ms``, ``1.2s``, ``3m20s``, ``2h5m``, ``1d3h``."""
    if ms is None:
        return None
    if ms < 1_000:
        return f"{round(ms)}ms"
    if ms < 60_000:
        return f"{ms / 1_000:.3g}s"
    seconds = round(ms / 1_000)
    for large, small, size, unit in (("m", "s", 60, 1), ("h", "m", 3_600, 60), ("d", "h", 86_400, 3_600)):
        if seconds < size * {"m": 60, "h": 24, "d": 10**9}[large]:
            rest = seconds % size // unit
            return f"{seconds // size}{large}" + (f"{rest}{small}" if rest else "")
    return None


def fit(result: dict[str, Any]) -> dict[str, Any]:
    """`result`, where it is too large with its longest texts and lists cut, and saying so."""
    text = encode(result)
    if len(text) <= _AIM or estimate(text) <= _AIM:
        return result
    result = msgspec.json.decode(text)
    for _ in range(_ROUNDS):
        largest = max(_places(result), key=lambda place: place[0], default=None)
        if largest is None:
            break
        _, holder, key = largest
        holder[key] = _half(holder[key])
        if estimate(encode(result)) <= _AIM:
            break
    result["cut"] = "too large: the longest texts and lists are shortened; ask for less, or for one thing by its id"
    return result


def _half(part: Any) -> Any:
    if isinstance(part, str):
        return part[: len(part) // 2] + "…"
    if isinstance(part, dict):
        return dict(list(part.items())[: len(part) // 2])
    return part[: (len(part) + 1) // 2]


def _places(part: Any) -> list[tuple[int, Any, Any]]:
    """Where texts and lists stand that can be shortened, with their sizes."""
    found: list[tuple[int, Any, Any]] = []
    for key, value in part.items() if isinstance(part, dict) else enumerate(part):
        if isinstance(value, str):
            if len(value) > _LEAST_TEXT:
                found.append((len(value), part, key))
        elif isinstance(value, dict | list):
            inner = _places(value)
            found += inner
            if len(value) > (_LEAST_LIST if isinstance(value, list) else _LEAST_OBJECT):
                # It is shortened before its parts where many small ones make it large.
                size = len(encode(value))
                most = max((place[0] for place in inner), default=0)
                if most < size // 4:
                    found.append((size, part, key))
    return found
