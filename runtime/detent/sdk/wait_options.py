"""What is said with a wait or a token: read and checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ..errors import InvalidOptions
from ..model.duration import Duration, When, is_moment, parse_duration, parse_when
from ..model.ids import is_id
from ..model.options import IdempotencyKey, idempotency_hash, tags_of
from ..model.protocol import MakeToken, WaitResult
from ..model.task_error import TaskError
from .current import ActiveRun, WaitFor, current_run
from .step_value import ANY_VALUE, StepValue
from .tokens import Token, TokenResult

__all__ = [
    "Key",
    "TokenOptions",
    "id_of",
    "length_of",
    "moment_of",
    "time_wait",
    "token_options",
    "token_result",
    "token_wait",
]

#: Milliseconds of each unit that ``wait.for_`` takes by name.
_UNITS = {"weeks": 604_800_000, "days": 86_400_000, "hours": 3_600_000, "minutes": 60_000, "seconds": 1_000}

Key = str | Sequence[str] | IdempotencyKey


def length_of(duration: Duration | None, units: dict[str, float]) -> int:
    """Milliseconds, of a duration or of units that add up. Errors: `InvalidOptions`."""
    given = {name: amount for name, amount in units.items() if amount}
    if duration is not None:
        if given:
            raise InvalidOptions("wait.for_() takes a duration or units such as hours=1, not both")
        return parse_duration(duration, "wait.for_()")
    ms = 0.0
    for name, amount in units.items():
        if isinstance(amount, bool) or not isinstance(amount, int | float) or amount < 0:
            raise InvalidOptions(f"wait.for_(): {name} must be a number, 0 or more, got {amount!r}")
        ms += amount * _UNITS[name]
    return parse_duration(ms / 1000, "wait.for_()")


def moment_of(moment: datetime | str) -> int:
    """Milliseconds since 1970."""
    if not is_moment(moment):
        raise InvalidOptions(
            f'wait.until(): got {moment!r}, expected an aware datetime or text such as "2026-11-22T09:00:00Z"; '
            "for a length of time use wait.for_()"
        )
    return parse_when(moment, 0, "wait.until()")


def time_wait(
    run: ActiveRun,
    what: str,
    *,
    for_ms: int | None = None,
    until: int | None = None,
    key: Key | None,
    key_ttl: Duration | None,
    tags: str | Sequence[str],
) -> WaitFor:
    """The wait that the call `what` asks for."""
    return WaitFor(
        "time",
        "wait",
        what,
        for_ms=for_ms,
        until=until,
        tags=tags_of(tags),
        idempotency_key=None if key is None else f"time {_key_text(key, run)}",
        idempotency_ttl_ms=None if key_ttl is None else parse_duration(key_ttl, "idempotency_key_ttl"),
    )


def token_wait(token: Token | str | None, id: str | None, timeout: When | None) -> WaitFor:
    """The wait for a token."""
    for_ms, until = _timeout_of(timeout)
    return WaitFor("token", "token", "wait.for_token()", id_of(token, id), for_ms, until)


def id_of(token: Token | str | None, id: str | None) -> str:
    """The id of a token that is given as such or by its id. Errors: `InvalidOptions`."""
    found = id if token is None else token if isinstance(token, str) else getattr(token, "id", None)
    if not isinstance(found, str) or not is_id("waitpoint", found):
        raise InvalidOptions(
            f"expected a token or its id, which begins with waitpoint_, got {token if id is None else id!r}; "
            "make one with wait.create_token()"
        )
    return found


def token_result(wanted: WaitFor, ended: WaitResult, returns: Any) -> TokenResult:
    """How the wait for a token ended; its output is read by the type `returns`."""
    if ended.status != "COMPLETED":
        error = TaskError("WaitTimedOut", "the token was not completed in time", code="wait_timed_out")
        return TokenResult(wanted.target, ok=False, error=error)
    text = "null" if ended.output is None else ended.output
    output = (ANY_VALUE if returns is None else StepValue(returns)).load(text)
    return TokenResult(wanted.target, ok=True, output=output)


@dataclass(frozen=True, slots=True)
class TokenOptions:
    """What is said with a token, checked. Times are milliseconds."""

    for_ms: int | None
    until: int | None
    tags: list[str]
    key: str | None
    key_ttl_ms: int | None

    def values(self) -> dict[str, Any]:
        """As the operation ``tokens.create`` takes them; a length of time counts from the call to the engine."""
        values: dict[str, Any] = {"tags": self.tags}
        if self.for_ms is not None:
            values["timeout"] = self.for_ms / 1000
        if self.until is not None:
            values["timeout"] = datetime.fromtimestamp(self.until / 1000, UTC).isoformat()
        if self.key is not None:
            values["idempotency_key"] = self.key
        if self.key_ttl_ms is not None:
            values["idempotency_key_ttl"] = self.key_ttl_ms / 1000
        return values

    def request(self, id: str, run_id: str) -> MakeToken:
        """As the engine takes it from a run."""
        key = None if self.key is None else idempotency_hash(self.key)
        return MakeToken(id, run_id, self.for_ms, self.until, self.tags, key, self.key_ttl_ms)


def token_options(
    timeout: When | None, key: Key | None, key_ttl: Duration | None, tags: str | Sequence[str]
) -> TokenOptions:
    """Errors: `InvalidOptions`."""
    for_ms, until = _timeout_of(timeout)
    if for_ms == 0:
        raise InvalidOptions(f"timeout must be longer than 0, got {timeout!r}; leave it out to wait for ever")
    ttl_ms = None if key_ttl is None else parse_duration(key_ttl, "idempotency_key_ttl")
    if ttl_ms == 0:
        raise InvalidOptions("idempotency_key_ttl must be positive; leave the key out instead")
    text = None if key is None else _key_text(key, current_run.get())
    return TokenOptions(for_ms, until, tags_of(tags, "token"), text, ttl_ms)


def _timeout_of(timeout: When | None) -> tuple[int | None, int | None]:
    """A length of time, or a moment."""
    if timeout is None:
        return None, None
    when = parse_when(timeout, 0, "timeout")
    return (None, when) if is_moment(timeout) else (when, None)


def _key_text(key: Key, run: ActiveRun | None) -> str:
    """A key with its scope. One that says none is the same everywhere: others are to find the wait by it."""
    scope = key.scope if isinstance(key, IdempotencyKey) else "global"
    text = key.key if isinstance(key, IdempotencyKey) else key if isinstance(key, str) else "\0".join(key)
    if not text:
        raise InvalidOptions("idempotency_key must not be empty")
    return text if scope == "global" or run is None else f"{run.idempotency_scope(scope)}\0{text}"
