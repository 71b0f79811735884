"""What tells one payload from another, however its JSON is written."""

from __future__ import annotations

from hashlib import sha256

import msgspec

__all__ = ["payload_digest"]

_encode = msgspec.json.Encoder(order="sorted").encode


def payload_digest(text: str) -> str:
    """Digest of the JSON `text`, the same for every order of keys and every spacing."""
    try:
        canonical = _encode(msgspec.json.decode(text))
    except (msgspec.DecodeError, RecursionError):
        canonical = text.encode()
    return sha256(canonical).hexdigest()
