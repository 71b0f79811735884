"""What JSON of requests may be: not nested without end, no name twice in an object, numbers and texts real ones."""

from __future__ import annotations

import msgspec

from ..errors import InvalidOptions, InvalidPayload, LimitExceeded
from ..model.limits import JSON_DEPTH

__all__ = ["check_json"]

#: What the shape of JSON is made of; all else is dropped before it is looked at.
_SHAPE = b'"[]{}:'
_REST = bytes(set(range(256)) - set(_SHAPE))

#: Levels that are taken away from within before the brackets are counted one by one.
_LEVELS = 4

_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def check_json(body: bytes) -> None:
    """Refuse what some reader of JSON would take otherwise than another, or could not take at all.

    Errors: `LimitExceeded` for what is nested too deep; `InvalidOptions` for what is no JSON, NaN and lone surrogates
    included, and for a name that comes twice in an object; `InvalidPayload` for what is not UTF-8.
    """
    shape = None
    if body.count(b"[") + body.count(b"{") > JSON_DEPTH:
        shape = _shape_of(body)
        if _is_deeper(shape, JSON_DEPTH):
            raise LimitExceeded(
                f"the body is nested more than {JSON_DEPTH} deep; send flatter JSON, or a text that holds it"
            )
    try:
        again = _encode(_decode(body))
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"the body is not UTF-8 text: {error}") from None
    except (msgspec.MsgspecError, RecursionError, ValueError) as error:
        raise InvalidOptions(f"the body is not JSON: {error}") from None
    # A decoder keeps the last of two values of one name, so that fewer names come back.
    if _names(_shape_of(again)) != _names(_shape_of(body) if shape is None else shape):
        raise InvalidOptions("an object in the body has the same name twice; keep one of them")


def _shape_of(body: bytes) -> bytes:
    """The brackets and colons of `body` that stand outside of its texts."""
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.translate(None, _REST).split(b'"')[::2])


def _names(shape: bytes) -> int:
    return shape.count(b":")


def _is_deeper(shape: bytes, most: int) -> bool:
    left = shape.replace(b":", b"")
    # Most of what there is goes as fast as bytes are copied; what is left is walked through, to its first fault.
    for _ in range(_LEVELS):
        left = left.replace(b"[]", b"").replace(b"{}", b"")
    depth, most = 0, most - _LEVELS
    for bracket in left:
        depth += 1 if bracket in b"[{" else -1
        if depth > most:
            return True
    return False
