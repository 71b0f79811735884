"""What ``task.trigger(p)``, ``wait.for_(...)`` and ``step(...)`` give: something to be awaited, once."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Coroutine, Generator
from itertools import count
from pathlib import Path
from typing import Any, Generic, TypeVar

from .current import ActiveRun, current_run

__all__ = ["Call", "Waiting"]

T = TypeVar("T")
U = TypeVar("U")

_numbers = count(1)
_OWN = str(Path(__file__).parent.parent)


class Call(Coroutine[Any, Any, T]):
    """A call of detent that begins when it is awaited. It may be given to ``asyncio.gather``, ``create_task`` and the
    like, as a coroutine may. One that is never awaited is reported when the run ends.

    Parameters:
      what: the call in words, such as ``child.trigger()``.
      start: makes the coroutine that does it.
    """

    __slots__ = ("_inner", "_missed", "_run", "_start", "number", "place", "what")

    def __init__(self, what: str, start: Callable[[], Coroutine[Any, Any, T]]) -> None:
        self.what = what
        #: Tells calls apart also when they are gone, as `id` does not.
        self.number = next(_numbers)
        self._start = start
        self._inner: Coroutine[Any, Any, T] | None = None
        self._run: ActiveRun | None = current_run.get()
        self._missed = self._run is None
        self.place = _caller()
        if self._run is not None:
            self._run.called(self)

    def __await__(self) -> Generator[Any, Any, T]:
        return self._begin().__await__()

    def send(self, value: Any, /) -> Any:
        return self._begin().send(value)

    def throw(self, *error: Any) -> Any:
        return self._begin().throw(*error)

    def close(self) -> None:
        self._seen()
        if self._inner is not None:
            self._inner.close()

    def __del__(self) -> None:
        if getattr(self, "_missed", False):
            warnings.warn(f"{self.what} at {self.place} was never awaited", RuntimeWarning, stacklevel=2)

    def _begin(self) -> Coroutine[Any, Any, T]:
        if self._inner is None:
            self._seen()
            self._inner = self._start()
        return self._inner

    def _seen(self) -> None:
        run, self._run, self._missed = self._run, None, False
        if run is not None:
            run.awaited(self)


class Waiting(Call[T], Generic[T, U]):
    """A `Call` whose result may be unwrapped: ``await task.trigger_and_wait(p).unwrap()``."""

    __slots__ = ("_unwrap",)

    def __init__(self, what: str, start: Callable[[], Coroutine[Any, Any, T]], unwrap: Callable[[T], U]) -> None:
        super().__init__(what, start)
        self._unwrap = unwrap

    def unwrap(self) -> Call[U]:
        """The output itself. Errors: `RunFailed`, `WaitTimedOut`."""

        async def unwrapped() -> U:
            return self._unwrap(await self)

        self._seen()
        return Call(f"{self.what}.unwrap()", unwrapped)


def _caller() -> str:
    """File and line of the code outside detent that makes the call."""
    frame = sys._getframe(2)
    # Only as far as need be: each frame that is looked at takes memory for as long as its coroutine lives.
    while frame.f_code.co_filename.startswith(_OWN) and frame.f_back is not None:
        frame = frame.f_back
    return f"{frame.f_code.co_filename.rpartition('/')[2]}:{frame.f_lineno}"
