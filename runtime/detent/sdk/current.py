"""The run that the calling code belongs to. The worker gives it; the rest of the SDK only knows this shape."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, Protocol

from ..errors import NotInRun
from ..model.protocol import Handle, NewRun, RunResult
from .context import Context

__all__ = ["ActiveRun", "active_run", "current_run"]


class ActiveRun(Protocol):
    """A run that is executing in this process."""

    ctx: Context

    def idempotency_scope(self, scope: str) -> str:
        """The prefix of an idempotency key for ``run`` or ``attempt``."""
        ...

    async def trigger(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]:
        """Start runs under the next journal key; with `wait` their results, in order."""
        ...

    def trigger_sync(
        self, runs: Sequence[NewRun], *, wait: bool, batch_id: str | None = None
    ) -> tuple[list[Handle], list[RunResult]]: ...

    def log(self, level: str, message: str, attributes: dict[str, Any] | None, source: str) -> None: ...

    def span(self, name: str, kind: str, attributes: dict[str, Any]) -> AbstractContextManager[None]: ...

    def change_metadata(self, target: str, op: str, key: str, value: Any) -> None: ...

    def metadata(self) -> dict[str, Any]: ...

    def add_tags(self, tags: list[str]) -> None: ...


current_run: ContextVar[ActiveRun | None] = ContextVar("detent_current_run", default=None)


def active_run(what: str) -> ActiveRun:
    """The run of the calling code. Errors: `NotInRun`, with `what` was called."""
    run = current_run.get()
    if run is None:
        raise NotInRun(f"{what} works only inside a running task")
    return run
