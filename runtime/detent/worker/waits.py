"""The durable waits of a run that are open, by their keys in its journal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from typing import Any

from ..model.protocol import WaitResult
from .loop_thread import LoopThread
from .signals import RunSignal

__all__ = ["Waiter", "Waits", "post_quietly"]

#: Coroutines wait with a future of their loop, threads with one of their own.
Waiter = asyncio.Future[WaitResult] | Future[WaitResult]


class Waits:
    """What each waits with, until it is closed.

    Parameters:
      loop: of the worker.
      is_async: whether the run executes on that loop.
    """

    __slots__ = ("_is_async", "_loop", "_waiters")

    def __init__(self, loop: LoopThread, *, is_async: bool) -> None:
        self._loop = loop
        self._is_async = is_async
        self._waiters: dict[str, Waiter] = {}

    def __len__(self) -> int:
        return len(self._waiters)

    def open(self, key: str, waiter: Waiter) -> None:
        """`waiter` is to be told the results of `key`."""
        self._waiters[key] = waiter

    def close(self, key: str) -> None:
        """Nobody waits for `key` any more."""
        self._waiters.pop(key, None)

    def unsatisfied(self) -> list[str]:
        """The keys that are still waited for."""
        return [key for key, waiter in list(self._waiters.items()) if not waiter.done()]

    def apart(self) -> bool:
        """Whether there is a wait that is not one of the loop's coroutines."""
        waiters = list(self._waiters.values())
        return any(
            not waiter.done() and not (self._is_async and isinstance(waiter, asyncio.Future)) for waiter in waiters
        )

    def deliver(self, result: WaitResult) -> None:
        """A wait is satisfied. On the loop's thread for async runs."""
        waiter = self._waiters.get(result.key)
        if waiter is not None:
            self._settle(waiter, lambda: waiter.set_result(result))

    def raise_in_all(self, make: Callable[[], RunSignal]) -> None:
        """Raise a signal wherever the run waits."""
        for waiter in list(self._waiters.values()):
            self._settle(waiter, lambda waiter=waiter: waiter.set_exception(make()))  # type: ignore[misc]  # a default

    def raise_in_threads(self, make: Callable[[], RunSignal]) -> None:
        """Raise a signal where threads wait."""
        for waiter in list(self._waiters.values()):
            if isinstance(waiter, Future):
                self._settle(waiter, lambda waiter=waiter: waiter.set_exception(make()))  # type: ignore[misc]  # a default

    def _settle(self, waiter: Waiter, act: Callable[[], None]) -> None:
        """Settle a wait where it is waited for; the first word counts."""

        def settle() -> None:
            if not waiter.done():
                act()

        if isinstance(waiter, asyncio.Future) and (waiter.get_loop() is not self._loop.loop or not self._is_async):
            post_quietly(waiter.get_loop().call_soon_threadsafe, settle)
        else:
            with suppress(InvalidStateError):
                settle()


def post_quietly(post: Callable[[Callable[[], None]], Any], action: Callable[[], None]) -> None:
    """Post `action` to a loop that may be closed by now, with nobody left to hear it."""
    with suppress(RuntimeError):
        post(action)
