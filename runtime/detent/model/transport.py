"""How a client reaches an engine: by HTTP, or in the same process. `connection.py` chooses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from .protocol import Handle, NewRun

__all__ = ["Transport"]


class Transport(Protocol):
    """What every way to an engine can do, in a blocking and in an async form.

    `call` names an operation such as ``runs.list`` and gives plain JSON values back (see
    ``engine/operations.py``).
    Errors are those of `detent.errors`, whatever way they came.
    """

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]: ...

    async def trigger_async(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]: ...

    def call(self, operation: str, **values: Any) -> Any: ...

    async def call_async(self, operation: str, **values: Any) -> Any: ...

    def wait(self, run_id: str, most_s: float) -> None:
        """Come back after `most_s` seconds, or before it when the run is seen to have ended."""
        ...

    async def wait_async(self, run_id: str, most_s: float) -> None: ...

    def close(self) -> None: ...
