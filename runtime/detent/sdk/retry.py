"""``retry``: try a block of code again without starting the whole run again.

    text = await retry.on_throw(lambda: model.complete(prompt), max_attempts=5)
    page = await retry.fetch("https://example.com/feed", retry={"timeout": {"max_attempts": 5}})

Blocking code uses the same names under ``retry.sync``. Inside a run, attempts after the first show in its trace.
"""

from __future__ import annotations

import inspect
import random as randomness
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, TypeVar, Unpack, cast, overload

from detent.errors import AbortTaskRunError
from detent.model import json_text
from detent.model.duration import SECOND, Duration
from detent.model.retry import RetryPolicy
from detent.sdk import fetch, pause
from detent.sdk.current import current_run

if TYPE_CHECKING:
    import httpx

__all__ = ["Attempt", "BlockingRetrying", "Retrying", "retry"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Attempt:
    """Which attempt is under way; given to functions that have a parameter named ``attempt``.

    `number` counts from 1 to `max_attempts`; `previous_error` is what the attempt before raised.
    """

    number: int
    max_attempts: int
    previous_error: Exception | None = None


class _Block(Generic[T]):
    """One block under retry: calls the function, and says after a failure how long to pause."""

    def __init__(self, fn: Callable[..., T], args: tuple[Any, ...], policy: RetryPolicy) -> None:
        self._fn = fn
        self._args = args
        self._policy = policy
        self._wants_attempt = _wants_attempt(fn, args)
        self._number = 0
        self._error: Exception | None = None

    def span(self) -> AbstractContextManager[None]:
        """To hold around the next attempt: once one has failed, those that follow show in the trace of the run."""
        run = current_run.get()
        if run is None or self._number == 0:
            return nullcontext()
        return run.span(_name(self._fn), "retry", {"attempt": self._number + 1})

    def call(self) -> T:
        self._number += 1
        if self._wants_attempt:
            return self._fn(*self._args, attempt=Attempt(self._number, self._policy.max_attempts, self._error))
        return self._fn(*self._args)

    def pause_after(self, error: Exception) -> float:
        """Seconds to pause before the next attempt; raises `error` when there is none."""
        self._error = error
        if isinstance(error, AbortTaskRunError):
            raise error
        if self._number >= self._policy.max_attempts:
            if self._number > 1:
                error.add_note(f"raised by the last of {self._number} attempts under retry")
            raise error
        return self._policy.delay_ms(self._number, randomness.random) / SECOND


def _wants_attempt(fn: Callable[..., Any], args: tuple[Any, ...]) -> bool:
    try:
        signature = inspect.signature(fn)
        return "attempt" in signature.parameters and "attempt" not in signature.bind_partial(*args).arguments
    except (TypeError, ValueError):  # a builtin without a signature, or arguments the call itself will refuse
        return False


def _name(fn: Callable[..., Any]) -> str:
    """What to call a function; a partial is called like the function in it."""
    while isinstance(fn, partial):
        fn = fn.func
    return str(getattr(fn, "__name__", type(fn).__name__))


class BlockingRetrying:
    """The twin of `Retrying` for plain functions, as ``retry.sync``: the same calls, blocking the thread."""

    def on_throw(
        self,
        fn: Callable[..., T],
        *args: Any,
        max_attempts: int = 3,
        factor: float = 2.0,
        min_timeout: Duration = 1.0,
        max_timeout: Duration = 60.0,
        randomize: bool = True,
    ) -> T:
        """Call a plain function, again after each exception. See `Retrying.on_throw`."""
        block = _Block(fn, args, RetryPolicy(max_attempts, factor, min_timeout, max_timeout, randomize))
        run = current_run.get()
        kept = None if run is None else run.retry_begun(_name(fn))
        if kept is not None and kept.recorded is not None:
            return cast("T", json_text.decode(kept.recorded))
        while True:
            try:
                with block.span():
                    result = block.call()
            except Exception as error:
                seconds = block.pause_after(error)
            else:
                result = _refuse_awaitable(result, fn)
                if kept is not None:
                    kept.keep_sync(result)
                return result
            pause.sleep_sync(seconds)

    __call__ = on_throw

    def fetch(
        self,
        url: str | httpx.URL,
        *,
        client: httpx.Client | None = None,
        **options: Unpack[fetch.RequestOptions],
    ) -> httpx.Response:
        """Fetch `url`, blocking. `client` is an ``httpx.Client``; all else as `Retrying.fetch`."""
        return fetch.fetch_sync(url, client=client, **options)


def _refuse_awaitable(result: T, fn: Callable[..., Any]) -> T:
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        name = getattr(fn, "__name__", repr(fn))
        raise TypeError(f"retry.sync got {name!r}, which is async: use `await retry.on_throw({name})`")
    return result


class Retrying:
    """Tries calls again; ``await retry(fn, ...)`` is the same as ``await retry.on_throw(fn, ...)``."""

    sync = BlockingRetrying()

    @overload
    async def on_throw(
        self,
        fn: Callable[..., Awaitable[T]],
        *args: Any,
        max_attempts: int = 3,
        factor: float = 2.0,
        min_timeout: Duration = 1.0,
        max_timeout: Duration = 60.0,
        randomize: bool = True,
    ) -> T: ...

    @overload
    async def on_throw(
        self,
        fn: Callable[..., T],
        *args: Any,
        max_attempts: int = 3,
        factor: float = 2.0,
        min_timeout: Duration = 1.0,
        max_timeout: Duration = 60.0,
        randomize: bool = True,
    ) -> T: ...

    async def on_throw(
        self,
        fn: Callable[..., Any],
        *args: Any,
        max_attempts: int = 3,
        factor: float = 2.0,
        min_timeout: Duration = 1.0,
        max_timeout: Duration = 60.0,
        randomize: bool = True,
    ) -> Any:
        """Call a function, again after each exception, inside the same attempt of the run.

        Parameters:
          fn: an async or plain function. When it has a parameter named ``attempt`` it gets an `Attempt`
            there. For keyword arguments wrap the call: ``retry.on_throw(lambda: call(text, speed=2))``.
          args: positional arguments for `fn`.
          max_attempts, factor, min_timeout, max_timeout, randomize: as in `Retry`; times in seconds or as
            "500ms".

        Inside a run each attempt after the first is a span of its trace, named by `fn`, of the kind "retry"; a result
        that is plain JSON data is recorded, so that a crash does not make the block again in the same attempt.

        Returns what `fn` returns. Raises the last attempt's exception, with a note; `AbortTaskRunError` and
        cancellation end it at once; InvalidOptions for settings out of their limits.
        """
        block = _Block(fn, args, RetryPolicy(max_attempts, factor, min_timeout, max_timeout, randomize))
        run = current_run.get()
        kept = None if run is None else run.retry_begun(_name(fn))
        if kept is not None and kept.recorded is not None:
            return json_text.decode(kept.recorded)
        while True:
            try:
                with block.span():
                    result = block.call()
                    if inspect.isawaitable(result):
                        result = await result
            except Exception as error:
                seconds = block.pause_after(error)
            else:
                if kept is not None:
                    await kept.keep(result)
                return result
            await pause.sleep(seconds)

    __call__ = on_throw

    async def fetch(
        self,
        url: str | httpx.URL,
        *,
        client: httpx.AsyncClient | None = None,
        **options: Unpack[fetch.RequestOptions],
    ) -> httpx.Response:
        """Fetch `url` over HTTP, again after answers and failures that are worth another try.

        Parameters:
          client: an ``httpx.AsyncClient`` to use; it is not closed. By default one for this call, which
            follows redirects.
          method: "GET" unless set. headers, params: of the request.
          json, content: the body, one of the two; `content` is bytes or text, since it may be sent more
            than once.
          timeout: for each attempt's connect, read and write, seconds or text; 60 s unless set, None waits
            for ever.
          retry: a `FetchRetry`, or a dict with its fields; False for one attempt. By default 408, 409, 429,
            5xx, connection errors and time-outs are tried 3 times in all, and ``Retry-After`` is honoured.

        Returns the response with its body read: the first answer that is not to be retried, or that of the
        last attempt, whatever its status. Raises httpx's errors when the last attempt got no answer;
        InvalidOptions for bad settings.
        """
        return await fetch.fetch(url, client=client, **options)


retry = Retrying()
"""Tries a block of code, or a request, again without starting the run again."""
