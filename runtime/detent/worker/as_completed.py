"""``asyncio.as_completed`` for runs: its tasks are made in the order in which they are given.

The standard library makes them in the order of a set, which differs each time; a branch of a run is known by the order
in which its task was made (C7).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

from .scope import current_scope

__all__ = ["install"]


def install() -> None:
    """Put the ordered one in the place of asyncio's, for this process. Outside of runs nothing changes."""
    original: Callable[..., Any] = asyncio.as_completed
    if getattr(original, "_detent", False):
        return

    @wraps(original)
    def as_completed(fs: Iterable[Any], *, timeout: float | None = None) -> Any:
        if current_scope.get() is not None and not isinstance(fs, set | frozenset):
            fs = [asyncio.ensure_future(future) for future in fs]
        return original(fs, timeout=timeout)

    as_completed._detent = True  # type: ignore[attr-defined]  # so that it is not wrapped again
    asyncio.as_completed = asyncio.tasks.as_completed = as_completed
