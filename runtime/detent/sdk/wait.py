"""`wait`: a run waits for time to pass or for a token, and holds nothing meanwhile."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ..errors import InvalidOptions, NotInRun
from ..model.duration import Duration, When, is_moment, parse_duration, parse_when
from ..model.ids import derived_id, is_id, new_id
from ..model.options import IdempotencyKey, tags_of
from ..model.protocol import WaitResult
from ..model.task_error import TaskError
from . import pause
from .call import Call, Waiting
from .current import ActiveRun, WaitFor, active_run, current_run, current_step, refuse_in_step, step_info
from .step_value import ANY_VALUE, StepValue
from .tokens import Token, TokenResult

__all__ = ["BlockingWait", "Wait", "wait"]

#: A shorter wait keeps its slot and writes nothing, in milliseconds (DESIGN.md section 4).
SHORT_MS = 5_000
#: Milliseconds of each unit that ``wait.for_`` takes by name.
_UNITS = {"weeks": 604_800_000, "days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1_000}

Key = str | Sequence[str] | IdempotencyKey


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
        wanted = _moment(run, "wait.for_()", _length(duration, units), None, idempotency_key, idempotency_key_ttl, tags)
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
        until = _point(moment)
        wanted = _moment(run, "wait.until()", None, until, idempotency_key, idempotency_key_ttl, tags)
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
        values = _creation(timeout, idempotency_key, idempotency_key_ttl, tags)
        run = _journaling()
        if run is None:
            return Token.of(_call("tokens.create", id=new_id("waitpoint"), **values))
        made = run.step_sync(
            "create_token", lambda: _call("tokens.create", id=_derived_token(), **values), ANY_VALUE, kind="create_token"
        )
        return Token.of(made)

    def for_token(
        self, token: Token | str | None = None, *, id: str | None = None, timeout: When | None = None, returns: Any = None
    ) -> TokenResult:
        """See `Wait.for_token`."""
        run = _blocking("wait.for_token()")
        wanted = _token(run, token, id, timeout)
        return _result(wanted, run.wait_sync(wanted), returns)

    def complete_token(self, token: Token | str, output: Any = None) -> None:
        """See `Wait.complete_token`."""
        token_id = _id_of(token, None)
        run = _journaling()
        if run is None:
            _call("tokens.complete", id=token_id, output=output)
        else:
            run.step_sync(
                "complete_token",
                lambda: _call("tokens.complete", id=token_id, output=output, by=_by()) and None,
                ANY_VALUE,
                kind="complete_token",
            )

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

        async def call() -> None:
            run = _waiting("wait.for_()")
            wanted = _moment(
                run, "wait.for_()", _length(duration, units), None, idempotency_key, idempotency_key_ttl, tags
            )
            await _pass(run, wanted)

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

        async def call() -> None:
            run = _waiting("wait.until()")
            until = _point(moment)
            wanted = _moment(run, "wait.until()", None, until, idempotency_key, idempotency_key_ttl, tags)
            await _pass(run, wanted)

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
        values = _creation(timeout, idempotency_key, idempotency_key_ttl, tags)

        async def call() -> Token:
            run = _journaling()
            if run is None:
                return Token.of(await _call_async("tokens.create", id=new_id("waitpoint"), **values))

            async def make() -> Any:
                return await _call_async("tokens.create", id=_derived_token(), **values)

            return Token.of(await run.step("create_token", make, ANY_VALUE, kind="create_token"))

        return Call("wait.create_token()", call)

    def for_token(
        self, token: Token | str | None = None, *, id: str | None = None, timeout: When | None = None, returns: Any = None
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
            wanted = _token(run, token, id, timeout)
            return _result(wanted, await run.wait(wanted), returns)

        return Waiting("wait.for_token()", call, TokenResult.unwrap)

    def complete_token(self, token: Token | str, output: Any = None) -> Call[None]:
        """Complete a token with a JSON value, from anywhere; whoever waits for it goes on.

        Errors: `NotFound`; `Conflict`, with its outcome, when it was completed or has timed out before.
        """
        token_id = _id_of(token, None)

        async def call() -> None:
            run = _journaling()
            if run is None:
                await _call_async("tokens.complete", id=token_id, output=output)
                return

            async def complete() -> None:
                await _call_async("tokens.complete", id=token_id, output=output, by=_by())

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


def _journaling() -> ActiveRun | None:
    """The current run, where what is done goes into its journal: a step is recorded as a whole."""
    return None if current_step.get() is not None else current_run.get()


def _length(duration: Duration | None, units: dict[str, float]) -> int:
    """Milliseconds."""
    given = {name: amount for name, amount in units.items() if amount}
    if duration is not None:
        if given:
            raise InvalidOptions("wait.for_() takes a duration or units such as hours=1, not both")
        return parse_duration(duration, "wait.for_()")
    ms = 0.0
    for name, amount in units.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount:
            raise InvalidOptions(f"wait.for_(): {name} must be a number, 0 or more, got {amount!r}")
        ms += amount * _UNITS[name]
    return parse_duration(ms / 1000, "wait.for_()")


def _point(moment: datetime | str) -> int:
    if not is_moment(moment):
        raise InvalidOptions(
            f'wait.until(): got {moment!r}, expected an aware datetime or text such as "2026-11-22T09:00:00Z"; '
            "for a length of time use wait.for_()"
        )
    return parse_when(moment, 0, "wait.until()")


def _moment(
    run: ActiveRun,
    what: str,
    for_ms: int | None,
    until: int | None,
    key: Key | None,
    key_ttl: Duration | None,
    tags: str | Sequence[str],
) -> WaitFor:
    return WaitFor(
        "time",
        "wait",
        what,
        for_ms=for_ms,
        until=until,
        tags=tags_of(tags),
        idempotency_key=None if key is None else f"time\0{_key_text(key, run)}",
        idempotency_ttl_ms=None if key_ttl is None else parse_duration(key_ttl, "idempotency_key_ttl"),
    )


def _short(run: ActiveRun, wanted: WaitFor) -> float | None:
    """Seconds of a wait that is too short to give the slot back; None for one that is durable."""
    if wanted.idempotency_key is not None or wanted.tags or run.expects(wanted.kind, wanted.name):
        return None
    left = wanted.for_ms if wanted.for_ms is not None else (wanted.until or 0) - run.now_ms()
    return max(0, left) / 1000 if left < SHORT_MS else None


async def _pass(run: ActiveRun, wanted: WaitFor) -> None:
    seconds = _short(run, wanted)
    if seconds is not None:
        await pause.sleep(seconds)
    else:
        await run.wait(wanted)


def _pass_sync(run: ActiveRun, wanted: WaitFor) -> None:
    seconds = _short(run, wanted)
    if seconds is not None:
        pause.sleep_sync(seconds)
    else:
        run.wait_sync(wanted)


def _token(run: ActiveRun, token: Token | str | None, id: str | None, timeout: When | None) -> WaitFor:
    until, for_ms = None, None
    if timeout is not None:
        when = parse_when(timeout, 0, "timeout")
        until, for_ms = (when, None) if is_moment(timeout) else (None, when)
    return WaitFor("token", "token", "wait.for_token()", _id_of(token, id), for_ms, until)


def _id_of(token: Token | str | None, id: str | None) -> str:
    found = id if token is None else token if isinstance(token, str) else getattr(token, "id", None)
    if not isinstance(found, str) or not is_id("waitpoint", found):
        raise InvalidOptions(
            f"expected a token or its id, which begins with waitpoint_, got {token if id is None else id!r}; "
            "make one with wait.create_token()"
        )
    return found


def _result(wanted: WaitFor, ended: WaitResult, returns: Any) -> TokenResult:
    if ended.status != "COMPLETED":
        error = TaskError("WaitTimedOut", "the token was not completed in time", code="wait_timed_out")
        return TokenResult(wanted.target, ok=False, error=error)
    text = "null" if ended.output is None else ended.output
    output = (ANY_VALUE if returns is None else StepValue(returns)).load(text)
    return TokenResult(wanted.target, ok=True, output=output)


def _creation(
    timeout: When | None, key: Key | None, key_ttl: Duration | None, tags: str | Sequence[str]
) -> dict[str, Any]:
    """Checked values of a token, as an operation takes them: a length of time counts from the call to the engine."""
    values: dict[str, Any] = {"tags": tags_of(tags)}
    if timeout is not None:
        when = parse_when(timeout, 0, "timeout")
        values["timeout"] = timeout if isinstance(timeout, str) else when / 1000
        if is_moment(timeout) and isinstance(timeout, datetime):
            values["timeout"] = timeout.isoformat()
    if key is not None:
        values["idempotency_key"] = _key_text(key, current_run.get())
    if key_ttl is not None:
        values["idempotency_key_ttl"] = parse_duration(key_ttl, "idempotency_key_ttl") / 1000
    return values


def _key_text(key: Key, run: ActiveRun | None) -> str:
    """A key with its scope. One that says none is the same everywhere: others are to find the wait by it."""
    scope = key.scope if isinstance(key, IdempotencyKey) else "global"
    text = key.key if isinstance(key, IdempotencyKey) else key if isinstance(key, str) else "\0".join(key)
    if not text:
        raise InvalidOptions("idempotency_key must not be empty")
    return text if scope == "global" or run is None else f"{run.idempotency_scope(scope)}\0{text}"


def _derived_token() -> str:
    """The id of the token that the present step makes: the same when it is made again after a crash."""
    info = step_info("wait.create_token()")
    return derived_id("waitpoint", info.run_id, info.key, 0, 0)


def _by() -> str:
    return step_info("wait.complete_token()").idempotency_key


def _call(operation: str, **values: Any) -> Any:
    from ..connection import default_transport

    return default_transport().call(operation, **values)


async def _call_async(operation: str, **values: Any) -> Any:
    from ..connection import default_transport

    return await default_transport().call_async(operation, **values)
