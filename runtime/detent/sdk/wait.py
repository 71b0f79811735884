"""`wait`: a run waits for time to pass or for a token, and holds nothing meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import NotInRun
from ..model import json_text
from ..model.duration import Duration, When
from ..model.ids import derived_id, new_id
from ..model.protocol import TokenMade
from . import pause
from .call import Call, Waiting
from .current import ActiveRun, WaitFor, active_run, current_run, current_step, refuse_in_step, step_info
from .step_value import ANY_VALUE
from .tokens import Token, TokenResult
from .wait_options import Key, id_of, length_of, moment_of, time_wait, token_options, token_result, token_wait

__all__ = ["BlockingWait", "Wait", "wait"]

#: A shorter wait keeps its slot and writes nothing, in milliseconds (DESIGN.md section 4).
SHORT_MS = 5_000


class BlockingWait:
    """The twin of `Wait` for plain functions: ``from detent.sync import wait``."""

    def for_(
        self,
        duration: Duration | None = None,
        *,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
        weeks: float = 0,
        idempotency_key: Key | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: str | Sequence[str] = (),
    ) -> None:
        """See `Wait.for_`; blocks this thread, while the run holds no slot."""
        run = _blocking("wait.for_()")
        units = {"seconds": seconds, "minutes": minutes, "hours": hours, "days": days, "weeks": weeks}
        length = length_of(duration, units)
        key, ttl = idempotency_key, idempotency_key_ttl
        wanted = time_wait(run, "wait.for_()", for_ms=length, key=key, key_ttl=ttl, tags=tags)
        _pass_sync(run, wanted)

    def until(
        self,
        moment: datetime | str,
        *,
        idempotency_key: Key | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: str | Sequence[str] = (),
    ) -> None:
        """See `Wait.until`."""
        run = _blocking("wait.until()")
        until, key, ttl = moment_of(moment), idempotency_key, idempotency_key_ttl
        wanted = time_wait(run, "wait.until()", until=until, key=key, key_ttl=ttl, tags=tags)
        _pass_sync(run, wanted)

    def create_token(
        self,
        *,
        timeout: When | None = None,
        idempotency_key: Key | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: str | Sequence[str] = (),
    ) -> Token:
        """See `Wait.create_token`."""
        options = token_options(timeout, idempotency_key, idempotency_key_ttl, tags)
        run = current_run.get()
        if run is None:
            return Token.of(_call("tokens.create", id=new_id("waitpoint"), **options.values()))
        here = run

        def make() -> Any:
            return _plain(here.make_token_sync(options.request(_token_id(), here.ctx.run.id)))

        if current_step.get() is not None:
            return Token.of(make())
        return Token.of(run.step_sync("create_token", make, ANY_VALUE, kind="create_token"))

    def for_token(
        self,
        token: Token | str | None = None,
        *,
        id: str | None = None,
        timeout: When | None = None,
        returns: Any = None,
    ) -> TokenResult:
        """See `Wait.for_token`."""
        run = _blocking("wait.for_token()")
        wanted = token_wait(token, id, timeout)
        return token_result(wanted, run.wait_sync(wanted), returns)

    def complete_token(self, token: Token | str, output: Any = None) -> None:
        """See `Wait.complete_token`."""
        token_id = id_of(token, None)
        run = current_run.get()
        if run is None:
            _call("tokens.complete", id=token_id, output=output)
            return
        here, text = run, json_text.encode(output, "output")

        def complete() -> None:
            here.complete_token_sync(token_id, _by(), text)

        if current_step.get() is not None:
            complete()
        else:
            run.step_sync("complete_token", complete, ANY_VALUE, kind="complete_token")

    def retrieve_token(self, id: str) -> Any:
        """See `Wait.retrieve_token`."""
        from ..client import Detent

        return Detent().tokens.retrieve(id)

    def list_tokens(self, **filters: Any) -> Any:
        """See `Wait.list_tokens`."""
        from ..client import Detent

        return Detent().tokens.list(**filters)

    retrieve = retrieve_token
    list = list_tokens


class Wait:
    """Durable waits: the run gives its slot, its thread and its lease back, and goes on at the next line.

    Of a wait that is over, the run hears once; executed again after a crash it does not wait again.
    """

    sync = BlockingWait()

    def for_(
        self,
        duration: Duration | None = None,
        *,
        seconds: float = 0,
        minutes: float = 0,
        hours: float = 0,
        days: float = 0,
        weeks: float = 0,
        idempotency_key: Key | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: str | Sequence[str] = (),
    ) -> Call[None]:
        """Wait for a length of time: ``await wait.for_(hours=1)`` or ``await wait.for_("1h30m")``.

        Parameters:
          duration: seconds or text; or by units: seconds, minutes, hours, days, weeks, which add up.
          idempotency_key: waits with the same key are one wait: when it is over, others with the key do not wait.
          idempotency_key_ttl: how long the key is kept; 30 days when None.
          tags: for lists, at most 10.

        Under 5 seconds the run keeps its slot and nothing is written. Errors: `NotInRun`, `InsideStep`,
        `InvalidOptions`.
        """
        units = {"seconds": seconds, "minutes": minutes, "hours": hours, "days": days, "weeks": weeks}

        def call() -> Coroutine[Any, Any, None]:
            run = _waiting("wait.for_()")
            length = length_of(duration, units)
            key, ttl = idempotency_key, idempotency_key_ttl
            return _pass(run, time_wait(run, "wait.for_()", for_ms=length, key=key, key_ttl=ttl, tags=tags))

        return Call("wait.for_()", call)

    def until(
        self,
        moment: datetime | str,
        *,
        idempotency_key: Key | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: str | Sequence[str] = (),
    ) -> Call[None]:
        """Wait until a moment: an aware `datetime` or ISO-8601 text with a zone. One that is past does not wait.

        The rest as in `for_`.
        """

        def call() -> Coroutine[Any, Any, None]:
            run = _waiting("wait.until()")
            until, key, ttl = moment_of(moment), idempotency_key, idempotency_key_ttl
            return _pass(run, time_wait(run, "wait.until()", until=until, key=key, key_ttl=ttl, tags=tags))

        return Call("wait.until()", call)

    def create_token(
        self,
        *,
        timeout: When | None = None,
        idempotency_key: Key | None = None,
        idempotency_key_ttl: Duration | None = None,
        tags: str | Sequence[str] = (),
    ) -> Call[Token]:
        """Make a token that somebody else completes: a person, a webhook, another run. Also outside of tasks.

        Parameters:
          timeout: when it is given up: a length of time from now, or a moment; by default never.
          idempotency_key: a second call with the key finds the first token (`Token.is_cached`).
          idempotency_key_ttl: how long the key is kept; 30 days when None. tags: at most 10.

        Inside a run the token is in the journal: executed again, the run has the same. Errors: `InvalidOptions`.
        """
        options = token_options(timeout, idempotency_key, idempotency_key_ttl, tags)

        async def call() -> Token:
            run = current_run.get()
            if run is None:
                return Token.of(await _call_async("tokens.create", id=new_id("waitpoint"), **options.values()))
            here = run

            async def make() -> Any:
                return _plain(await here.make_token(options.request(_token_id(), here.ctx.run.id)))

            if current_step.get() is not None:
                return Token.of(await make())
            return Token.of(await run.step("create_token", make, ANY_VALUE, kind="create_token"))

        return Call("wait.create_token()", call)

    def for_token(
        self,
        token: Token | str | None = None,
        *,
        id: str | None = None,
        timeout: When | None = None,
        returns: Any = None,
    ) -> Waiting[TokenResult, Any]:
        """Wait until a token is completed, or times out.

        Parameters:
          token, id: the token or its id.
          timeout: give up waiting then; the token itself stays as it is. By default the token's own time-out counts.
          returns: the type that its output is read as; plain JSON values by default.

        Returns something to await: it gives a `TokenResult`, its ``.unwrap()`` gives the output.
        Errors: `NotFound`, `NotInRun`, `InsideStep`; `WaitTimedOut` by ``unwrap``.
        """

        async def call() -> TokenResult:
            run = _waiting("wait.for_token()")
            wanted = token_wait(token, id, timeout)
            return token_result(wanted, await run.wait(wanted), returns)

        return Waiting("wait.for_token()", call, TokenResult.unwrap)

    def complete_token(self, token: Token | str, output: Any = None) -> Call[None]:
        """Complete a token with a JSON value, from anywhere; whoever waits for it goes on.

        Errors: `NotFound`; `Conflict`, with its outcome, when it was completed or has timed out before.
        """
        token_id = id_of(token, None)

        async def call() -> None:
            run = current_run.get()
            if run is None:
                await _call_async("tokens.complete", id=token_id, output=output)
                return
            here, text = run, json_text.encode(output, "output")

            async def complete() -> None:
                await here.complete_token(token_id, _by(), text)

            if current_step.get() is not None:
                await complete()
            else:
                await run.step("complete_token", complete, ANY_VALUE, kind="complete_token")

        return Call("wait.complete_token()", call)

    async def retrieve_token(self, id: str) -> Any:
        """The token as it is now; see `detent.AsyncDetent.tokens`. Errors: `NotFound`."""
        from ..client import AsyncDetent

        return await AsyncDetent().tokens.retrieve(id)

    def list_tokens(self, **filters: Any) -> Any:
        """The tokens, newest first, filtered as in `detent.AsyncDetent.tokens.list`: ``async for token in ...``."""
        from ..client import AsyncDetent

        return AsyncDetent().tokens.list(**filters)

    retrieve = retrieve_token
    list = list_tokens


wait = Wait()


def _waiting(what: str) -> ActiveRun:
    run = active_run(what)
    refuse_in_step(what)
    return run


def _blocking(what: str) -> ActiveRun:
    run = _waiting(f"sync.{what}")
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return run
    raise NotInRun(f"sync.{what} would block the event loop of this async task; write `await {what}`")


def _short(run: ActiveRun, wanted: WaitFor) -> float | None:
    """Seconds of a wait that is too short to give the slot back; None for one that is durable."""
    if wanted.idempotency_key is not None or wanted.tags or run.expects(wanted.kind, wanted.name):
        return None
    left = wanted.for_ms if wanted.for_ms is not None else (wanted.until or 0) - run.now_ms()
    return max(0, left) / 1000 if left < SHORT_MS else None


def _pass(run: ActiveRun, wanted: WaitFor) -> Coroutine[Any, Any, None]:
    seconds = _short(run, wanted)
    if seconds is not None:
        run.skip(wanted.name)
        return pause.sleep(seconds)
    return _past(run.wait(wanted))


async def _past(waiting: Coroutine[Any, Any, Any]) -> None:
    await waiting


def _pass_sync(run: ActiveRun, wanted: WaitFor) -> None:
    seconds = _short(run, wanted)
    if seconds is not None:
        run.skip(wanted.name)
        pause.sleep_sync(seconds)
    else:
        run.wait_sync(wanted)


def _token_id() -> str:
    """The id of a token that the present step makes: the same when it is made again after a crash."""
    info = step_info("wait.create_token()")
    if info.kind == "step":
        return new_id("waitpoint")  # a step of the user's, which may make several
    return derived_id("waitpoint", info.run_id, info.key, 0, 0)


def _by() -> str:
    return step_info("wait.complete_token()").idempotency_key


def _plain(made: TokenMade) -> dict[str, Any]:
    """A token as the journal has it."""
    due_at = None if made.due_at is None else datetime.fromtimestamp(made.due_at / 1000, UTC).isoformat()
    return {"id": made.id, "url": made.url, "is_cached": made.cached, "tags": made.tags, "timeout_at": due_at}


def _call(operation: str, **values: Any) -> Any:
    from ..connection import default_transport

    return default_transport().call(operation, **values)


async def _call_async(operation: str, **values: Any) -> Any:
    from ..connection import default_transport

    return await default_transport().call_async(operation, **values)
