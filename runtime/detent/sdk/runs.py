"""`runs`: look at runs, cancel them, run them again, from any process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..client.async_detent import AsyncRunsResource
    from ..client.detent import RunsResource

    class SyncRuns(RunsResource):
        """The runs of the default client, blocking."""

    class Runs(AsyncRunsResource):
        """The runs of the default client."""

        sync: SyncRuns

else:

    class SyncRuns:
        """The runs of the default client, blocking; see `detent.client.Detent.runs`."""

        def __getattr__(self, name: str) -> Any:
            from ..client import Detent

            return getattr(Detent().runs, name)

    class Runs:
        """The runs of the default client: ``await runs.retrieve(id)``; see `detent.client.AsyncDetent.runs`."""

        sync = SyncRuns()

        def __getattr__(self, name: str) -> Any:
            from ..client import AsyncDetent

            return getattr(AsyncDetent().runs, name)


__all__ = ["Runs", "SyncRuns", "runs"]

runs: Runs = Runs.__new__(Runs)
