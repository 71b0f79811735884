"""Pauses inside task code, through a sleeper that tests replace by a virtual clock."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Protocol

__all__ = ["Sleeper", "sleep", "sleep_sync", "sleeping_with", "use_sleeper"]


class Sleeper(Protocol):
    """What lets time pass. Seconds, 0 or more."""

    async def sleep(self, seconds: float) -> None: ...

    def sleep_sync(self, seconds: float) -> None: ...


class _WallClock:
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    def sleep_sync(self, seconds: float) -> None:
        time.sleep(seconds)


_WALL_CLOCK: Sleeper = _WallClock()
_sleeper: ContextVar[Sleeper] = ContextVar("detent_sleeper", default=_WALL_CLOCK)


async def sleep(seconds: float) -> None:
    """Pause for `seconds` by the sleeper of this context; other coroutines go on."""
    await _sleeper.get().sleep(seconds)


def sleep_sync(seconds: float) -> None:
    """Pause this thread for `seconds` by the sleeper of this context."""
    _sleeper.get().sleep_sync(seconds)


def use_sleeper(sleeper: Sleeper) -> None:
    """From now on pauses of this context go through `sleeper`."""
    _sleeper.set(sleeper)


@contextmanager
def sleeping_with(sleeper: Sleeper) -> Iterator[None]:
    """Inside the block, and in tasks and copied contexts started there, pauses go through `sleeper`."""
    token = _sleeper.set(sleeper)
    try:
        yield
    finally:
        _sleeper.reset(token)
