"""Lengths of time as requests bring them."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta

__all__ = ["JsonLength"]

_LENGTH = {"type": ["string", "number", "null"], "description": 'Seconds, or text such as "10m".'}
JsonLength = Annotated[Any, Meta(extra_json_schema=_LENGTH)]
"""A length of time, or a moment where one may stand, as JSON says it; checked by whoever takes it."""
