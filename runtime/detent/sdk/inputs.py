"""Values that are sent to a run while it runs: `streams.input`."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Generic, TypeVar

from ..errors import WaitTimedOut
from ..model.duration import Duration, parse_duration
from ..model.protocol import WaitResult
from .call import Call
from .current import ActiveRun, WaitFor, active_run, current_step, refuse_in_step
from .step_value import ANY_VALUE, StepValue

__all__ = ["BlockingInput", "Input", "Listening"]

T = TypeVar("T")


class _Named(Generic[T]):
    def __init__(self, name: str, type: Any = Any) -> None:
        self.name = name
        self._value = ANY_VALUE if type is Any else StepValue(type)

    def _wanted(self, timeout: Duration | None) -> WaitFor:
        for_ms = None if timeout is None else parse_duration(timeout, "timeout")
        return WaitFor("input", f"input:{self.name}", "streams.input().wait()", self.name, for_ms)

    def _read(self, result: WaitResult, timeout: Duration | None) -> T:
        if result.status != "COMPLETED":
            raise WaitTimedOut(f"nothing was sent to the input {self.name!r} within {timeout}")
        return self._load("null" if result.output is None else result.output)

    def _load(self, text: str) -> T:
        value: T = self._value.load(text)
        return value


class Listening:
    """A handler that is called with each value; see `Input.on`."""

    def __init__(self, task: asyncio.Task[None]) -> None:
        self._task = task

    def off(self) -> None:
        """Call it no more. What has been sent and not been given to it waits for others."""
        self._task.cancel()


class Input(_Named[T]):
    """Values that are sent to the run under one name. Each is given once, in the order in which they were sent, and
    kept until it is; executed again after a crash, the run gets the same."""

    def wait(self, timeout: Duration | None = None) -> Call[T]:
        """The next value, durably: while there is none the run holds nothing.

        Parameters:
          timeout: give up then, seconds or text; by default never.

        Errors: `WaitTimedOut`, `NotInRun`, `InsideStep`.
        """

        async def call() -> T:
            run = _waiting()
            return self._read(await run.wait(self._wanted(timeout)), timeout)

        return Call("streams.input().wait()", call)

    once = wait

    async def __aiter__(self) -> AsyncIterator[T]:
        while True:
            yield await self.wait()

    def on(self, handler: Callable[[T], Any]) -> Listening:
        """Call `handler`, a function or a coroutine function, with each value, beside the rest of the run; until the
        run ends or ``off`` is called on what this returns."""
        _waiting()

        async def listen() -> None:
            async for value in self:
                outcome = handler(value)
                if inspect.isawaitable(outcome):
                    await outcome

        return Listening(asyncio.get_running_loop().create_task(listen()))

    def peek(self) -> Call[T | None]:
        """The next value, which stays where it is; None when there is none. Errors: `NotInRun`."""

        async def call() -> T | None:
            run = active_run("streams.input().peek()")

            async def look() -> str | None:
                return await run.peek(self.name)

            if current_step.get() is not None:
                found = await look()
            else:
                found = await run.step(f"peek:{self.name}", look, ANY_VALUE, kind="peek")
            return None if found is None else self._load(found)

        return Call("streams.input().peek()", call)


class BlockingInput(_Named[T]):
    """The twin of `Input` for plain functions: ``from detent.sync import streams``."""

    def wait(self, timeout: Duration | None = None) -> T:
        """See `Input.wait`; blocks this thread, while the run holds no slot."""
        run = _waiting()
        return self._read(run.wait_sync(self._wanted(timeout)), timeout)

    once = wait

    def __iter__(self) -> Iterator[T]:
        while True:
            yield self.wait()

    def peek(self) -> T | None:
        """See `Input.peek`."""
        run = active_run("sync.streams.input().peek()")

        def look() -> str | None:
            return run.peek_sync(self.name)

        if current_step.get() is not None:
            found = look()
        else:
            found = run.step_sync(f"peek:{self.name}", look, ANY_VALUE, kind="peek")
        return None if found is None else self._load(found)


def _waiting() -> ActiveRun:
    run = active_run("streams.input().wait()")
    refuse_in_step("streams.input().wait()")
    return run
