"""`runs`: look at runs and cancel them, from any process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..client import AsyncDetent, Detent

__all__ = ["Runs", "SyncRuns", "runs"]


class SyncRuns:
    """The runs of the default client, blocking; see `detent.client.Detent.runs`."""

    def __getattr__(self, name: str) -> Any:
        return getattr(_blocking_client().runs, name)


class Runs:
    """The runs of the default client: ``await runs.retrieve(id)``; see `detent.client.AsyncDetent.runs`."""

    sync = SyncRuns()

    def __getattr__(self, name: str) -> Any:
        return getattr(_client().runs, name)


def _client() -> AsyncDetent:
    from ..client import AsyncDetent

    return AsyncDetent()


def _blocking_client() -> Detent:
    from ..client import Detent

    return Detent()


runs = Runs()
