"""Tokens as tasks see them: made, handed out, waited for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..errors import WaitTimedOut
from ..model.task_error import TaskError

__all__ = ["Token", "TokenResult"]


@dataclass(frozen=True, slots=True)
class Token:
    """A token that was made. `url`: a POST there completes it, without a key. `is_cached`: it was there already, under
    its idempotency key."""

    id: str
    url: str
    is_cached: bool = False
    tags: tuple[str, ...] = ()
    timeout_at: datetime | None = None

    @classmethod
    def of(cls, made: Mapping[str, Any]) -> Token:
        """The token in an answer of the engine."""
        timeout_at = made.get("timeout_at")
        return cls(
            made["id"],
            made["url"],
            bool(made.get("is_cached")),
            tuple(made.get("tags") or ()),
            None if timeout_at is None else datetime.fromisoformat(timeout_at),
        )


@dataclass(frozen=True, slots=True)
class TokenResult:
    """How the wait for a token ended. Look at `ok` before `output`, or use `unwrap`."""

    id: str
    ok: bool
    output: Any = None
    error: TaskError | None = None

    def unwrap(self) -> Any:
        """The output. Errors: `WaitTimedOut` when the token was not completed in time."""
        if self.ok:
            return self.output
        raise WaitTimedOut(f"token {self.id} was not completed in time")
