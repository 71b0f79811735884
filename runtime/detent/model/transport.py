"""How a client reaches an engine: by HTTP, or in the same process. `connection.py` chooses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from .protocol import Handle, NewRun

__all__ = ["FeedEvent", "Transport"]


class FeedEvent(NamedTuple):
    """An event of a feed. `event`: ``message``, and ``end`` for the last."""

    id: str
    event: str
    data: Any


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

    def follow(self, operation: str, values: Mapping[str, Any], after: str | None) -> Iterator[FeedEvent]:
        """The events of a feed such as ``realtime.run``, beyond the one whose id is `after`, to the last. Nothing is
        missed and nothing told twice, also where the connection breaks in between."""
        ...

    def follow_async(
        self, operation: str, values: Mapping[str, Any], after: str | None
    ) -> AsyncIterator[FeedEvent]: ...

    def put_bundle(self, digest: str, path: Path) -> None:
        """Upload the bundle of a deployment, unless it is there already.

        Parameters:
          digest: the SHA-256 of the file at `path`, in hexadecimal digits.

        Errors: `InvalidPayload`, `LimitExceeded`, `NotFound` where no objects are kept.
        """
        ...

    def get_bundle(self, digest: str, path: Path) -> None:
        """Write a bundle to `path`; it appears when it is whole and checked. Errors: `NotFound`, `InvalidPayload`."""
        ...

    def close(self) -> None: ...
