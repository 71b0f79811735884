"""Names of projects as servers have them."""

from __future__ import annotations

import re

__all__ = ["slug_in"]

SLUG_CHARS = 64


def slug_in(name: str) -> str | None:
    """A name as a slug: lower-case letters, digits and dashes. None where it holds none of them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:SLUG_CHARS].strip("-") or None
