"""Where the bundle of a version is kept."""

from __future__ import annotations

from typing import Any

from ..errors import InvalidOptions

__all__ = ["bundle_key", "check_digest"]

_HEX = frozenset("0123456789abcdef")


def check_digest(value: Any) -> str:
    """`value`, if it is a SHA-256 in hexadecimal digits. Errors: `InvalidOptions`."""
    if not isinstance(value, str) or len(value) != 64 or not set(value) <= _HEX:
        raise InvalidOptions(f"a bundle is named by its SHA-256, 64 hexadecimal digits, got {repr(value)[:100]}")
    return value


def bundle_key(env: str, digest: Any) -> str:
    """The object that is a bundle of an environment, by the SHA-256 of its bytes. Errors: `InvalidOptions`."""
    return f"bundles/{env}/{check_digest(digest)}.tar"
