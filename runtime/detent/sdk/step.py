"""Steps: calls whose results a run keeps, so that they are never made again once they are finished."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, TypeVar, overload

from ..errors import InvalidOptions, NotInRun
from ..model.limits import NAME_CHARS
from ..model.plain_text import refuse_nul
from .call import Call
from .current import active_run, refuse_in_step, step_info
from .step_value import value_of

__all__ = ["BlockingStep", "Step", "step"]

T = TypeVar("T")


class BlockingStep:
    """The twin of `Step` for plain functions: ``step.sync("name", fn, *args)``."""

    def __call__(self, name: str, fn: Callable[..., T], *args: Any, returns: Any = None) -> T:
        """See `Step.__call__`; blocks this thread."""
        what = f"step.sync({name!r})"
        run = active_run(what)
        _check(name, fn, what)
        if _is_async(fn):
            raise InvalidOptions(f"{what} got an async function; write `await step({name!r}, ...)` in an async task")
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            result: T = run.step_sync(name, partial(_plain, name, fn, args), value_of(fn, returns))
            return result
        raise NotInRun(f"{what} would block the event loop of this async task; write `await step({name!r}, ...)`")

    @staticmethod
    def idempotency_key() -> str:
        """See `Step.idempotency_key`."""
        return step_info("step.idempotency_key()").idempotency_key


class Step:
    """``await step("name", fn, *args)`` puts a call into the journal of the run."""

    sync = BlockingStep()

    @overload
    def __call__(self, name: str, fn: Callable[..., Awaitable[T]], *args: Any, returns: Any = None) -> Call[T]: ...

    @overload
    def __call__(self, name: str, fn: Callable[..., T], *args: Any, returns: Any = None) -> Call[T]: ...

    def __call__(self, name: str, fn: Callable[..., Any], *args: Any, returns: Any = None) -> Call[Any]:
        """Call `fn` and keep what it returns. Durable when it comes back.

        A finished step never runs again: when the run is executed again, after a crash or in a later attempt, the kept
        result is given at once. An unfinished one runs at least once. A step that raised raises the same again after
        a crash, and runs again in a later attempt (DESIGN.md section 4).

        Parameters:
          name: what it is called in the journal, 1 to 128 characters; the same name may be used again.
          fn: an async or plain function. A plain one runs beside the event loop. When it has a parameter named
            ``idempotency_key`` it gets `idempotency_key` there. For keyword arguments write a lambda.
          args: positional arguments for `fn`.
          returns: the type of the result, where the function's return annotation does not say it.

        Returns what `fn` returned, read back from JSON by that type: models come back as models, tuples as lists.
        Errors: `StepFailed` when `fn` raised (`AbortTaskRunError` as it is), `Unserializable`, `LimitExceeded` over
        10 MiB, `NotInRun` outside a task, `InsideStep` in another step.
        """
        what = f"step({name!r})"

        async def call() -> Any:
            run = active_run(what)
            _check(name, fn, what)
            return await run.step(name, _bound(fn, args), value_of(fn, returns), threaded=not _is_async(fn))

        return Call(what, call)

    @staticmethod
    def idempotency_key() -> str:
        """Inside a step: a key to hand to outside services (Stripe's ``Idempotency-Key`` for instance), the same
        whenever this step runs again. Errors: `NotInRun` outside a step."""
        return step_info("step.idempotency_key()").idempotency_key


step = Step()


def _check(name: Any, fn: Any, what: str) -> None:
    if not isinstance(name, str) or not 1 <= len(name) <= NAME_CHARS:
        raise InvalidOptions(f"a step is named by a text of 1 to {NAME_CHARS} characters, got {name!r}")
    refuse_nul("the name of a step", name)
    if not callable(fn):
        hint = "; leave the parentheses out: step('name', fn, argument)" if inspect.isawaitable(fn) else ""
        if inspect.iscoroutine(fn):
            fn.close()
        raise InvalidOptions(f"{what} takes a function to call, got {type(fn).__name__}{hint}")
    refuse_in_step(what)


def _plain(name: str, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    result = _bound(fn, args)()
    if inspect.isawaitable(result):
        if inspect.iscoroutine(result):
            result.close()
        raise InvalidOptions(f"step.sync({name!r}) got an awaitable; write `await step(...)` in an async task")
    return result


def _is_async(fn: Callable[..., Any]) -> bool:
    while isinstance(fn, partial):
        fn = fn.func
    return inspect.iscoroutinefunction(fn) or inspect.iscoroutinefunction(getattr(fn, "__call__", None))  # noqa: B004


def _bound(fn: Callable[..., Any], args: tuple[Any, ...]) -> Callable[[], Any]:
    """The call, with the step's key where `fn` asks for it by name."""
    try:
        signature = inspect.signature(fn)
        wants_key = (
            "idempotency_key" in signature.parameters
            and "idempotency_key" not in signature.bind_partial(*args).arguments
        )
    except (TypeError, ValueError):  # a builtin without a signature, or arguments the call itself will refuse
        wants_key = False
    if not wants_key:
        return partial(fn, *args)
    return lambda: fn(*args, idempotency_key=Step.idempotency_key())
