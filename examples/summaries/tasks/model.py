"""A stand-in for a language model: slow, and busy when a text comes for the first time. Needs no network."""

from __future__ import annotations

import asyncio

__all__ = ["Busy", "Refused", "complete"]

_seen: set[str] = set()


class Busy(Exception):
    """The model has no room now; `retry_after` says in how many seconds it will."""

    def __init__(self, retry_after: float) -> None:
        super().__init__(f"busy, come back in {retry_after:g} s")
        self.retry_after = retry_after


class Refused(Exception):
    """The model will never take this text."""


async def complete(text: str) -> str:
    """The first sentence of `text`. Errors: `Busy` at the first call with a text; `Refused` for an empty one."""
    await asyncio.sleep(0.05)
    if not text.strip():
        raise Refused("there is nothing to summarize")
    if text not in _seen:
        _seen.add(text)
        raise Busy(retry_after=0.5)
    return text.partition(". ")[0].removesuffix(".") + "."
