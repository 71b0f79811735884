"""The transport of clients that were told of none: it is found anew for each call."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..connection import default_transport
from ..model.protocol import Handle, NewRun
from ..model.transport import FeedEvent

__all__ = ["DefaultTransport"]


class DefaultTransport:
    """Whatever `connection.default_transport` chooses where the call is made, so that one client may be used inside and
    outside of runs."""

    def __repr__(self) -> str:
        return "<chosen where it is used>"

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger`."""
        return default_transport().trigger(runs, batch_id)

    async def trigger_async(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger_async`."""
        return await default_transport().trigger_async(runs, batch_id)

    def call(self, operation: str, **values: Any) -> Any:
        """See `Transport.call`."""
        return default_transport().call(operation, **values)

    async def call_async(self, operation: str, **values: Any) -> Any:
        """See `Transport.call_async`."""
        return await default_transport().call_async(operation, **values)

    def wait(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`."""
        default_transport().wait(run_id, most_s)

    async def wait_async(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`."""
        await default_transport().wait_async(run_id, most_s)

    def follow(self, operation: str, values: Mapping[str, Any], after: str | None) -> Iterator[FeedEvent]:
        """See `Transport.follow`."""
        return default_transport().follow(operation, values, after)

    def follow_async(self, operation: str, values: Mapping[str, Any], after: str | None) -> AsyncIterator[FeedEvent]:
        """See `Transport.follow`."""
        return default_transport().follow_async(operation, values, after)

    def put_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.put_bundle`."""
        default_transport().put_bundle(digest, path)

    def get_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.get_bundle`."""
        default_transport().get_bundle(digest, path)

    def close(self) -> None:
        """Nothing: connections of the process are kept."""
