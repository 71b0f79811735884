"""Work on many runs, of a client: blocking and awaited."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Unpack

from ..model.bulk_views import BulkAction, BulkPage
from ..model.duration import Duration
from ..model.transport import Transport
from .bulk_calls import RunFilters, abort_bulk, begin_bulk, list_bulk, retrieve_bulk
from .pages import AsyncBulkActions, BulkActions
from .waiting import pauses

__all__ = ["AsyncBulkResource", "BulkResource"]


class BulkResource:
    """Cancel and replay of many runs, in the background of the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def cancel(
        self,
        *,
        ids: Sequence[str] | None = None,
        reason: str = "",
        name: str = "",
        dry_run: bool = False,
        **filters: Unpack[RunFilters],
    ) -> BulkAction:
        """Cancel the runs that fit `filters` now, or those of `ids`, with all that they started.

        Parameters:
          ids: at most 5,000. `filters`: those of `list`, at least one.
          reason: kept with each run. `name`: of the action, for people.
          dry_run: only say how many there are, with examples.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        call = begin_bulk("cancel", ids, filters, name=name, reason=reason, dry_run=dry_run)
        return call.ask(self._transport)

    def replay(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str = "",
        dry_run: bool = False,
        **filters: Unpack[RunFilters],
    ) -> BulkAction:
        """Replay the runs that fit `filters` now, or those of `ids`: each once, with its payload and options.

        Parameters: as of `cancel`. Errors: `InvalidOptions`, `LimitExceeded`.
        """
        call = begin_bulk("replay", ids, filters, name=name, reason="", dry_run=dry_run)
        return call.ask(self._transport)

    def retrieve(self, action_id: str) -> BulkAction:
        """How far a bulk action has come. Errors: `NotFound`."""
        return retrieve_bulk(action_id).ask(self._transport)

    def abort(self, action_id: str) -> BulkAction:
        """Handle no more runs; what is done stays done. Errors: `NotFound`; `Conflict` for one that is complete."""
        return abort_bulk(action_id).ask(self._transport)

    def poll(self, action_id: str, timeout: Duration | None = None) -> BulkAction:
        """Wait until a bulk action has ended. `timeout` in seconds or as text; `TimeoutError` when it has passed."""
        waits = pauses(action_id, timeout, "bulk action")
        action = self.retrieve(action_id)
        while not action.is_finished:
            time.sleep(next(waits))
            action = self.retrieve(action_id)
        return action

    def list(self, *, limit: int = 25, cursor: str | None = None) -> BulkActions:
        """Bulk actions, newest first. Iterate over it: further pages are fetched as needed."""

        def fetch(where: str | None) -> BulkPage:
            return list_bulk(limit, where).ask(self._transport)

        return BulkActions(fetch, cursor)


class AsyncBulkResource:
    """Cancel and replay of many runs, in the background of the server."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def cancel(
        self,
        *,
        ids: Sequence[str] | None = None,
        reason: str = "",
        name: str = "",
        dry_run: bool = False,
        **filters: Unpack[RunFilters],
    ) -> BulkAction:
        """Cancel the runs that fit `filters` now, or those of `ids`, with all that they started.

        Parameters:
          ids: at most 5,000. `filters`: those of `list`, at least one.
          reason: kept with each run. `name`: of the action, for people.
          dry_run: only say how many there are, with examples.

        Errors: `InvalidOptions`, `LimitExceeded`.
        """
        call = begin_bulk("cancel", ids, filters, name=name, reason=reason, dry_run=dry_run)
        return await call.ask_async(self._transport)

    async def replay(
        self,
        *,
        ids: Sequence[str] | None = None,
        name: str = "",
        dry_run: bool = False,
        **filters: Unpack[RunFilters],
    ) -> BulkAction:
        """Replay the runs that fit `filters` now, or those of `ids`: each once, with its payload and options.

        Parameters: as of `cancel`. Errors: `InvalidOptions`, `LimitExceeded`.
        """
        call = begin_bulk("replay", ids, filters, name=name, reason="", dry_run=dry_run)
        return await call.ask_async(self._transport)

    async def retrieve(self, action_id: str) -> BulkAction:
        """How far a bulk action has come. Errors: `NotFound`."""
        return await retrieve_bulk(action_id).ask_async(self._transport)

    async def abort(self, action_id: str) -> BulkAction:
        """Handle no more runs; what is done stays done. Errors: `NotFound`; `Conflict` for one that is complete."""
        return await abort_bulk(action_id).ask_async(self._transport)

    async def poll(
        self,
        action_id: str,
        timeout: Duration | None = None,  # noqa: ASYNC109  # as of `runs.poll`
    ) -> BulkAction:
        """Wait until a bulk action has ended. `timeout` in seconds or as text; `TimeoutError` when it has passed."""
        waits = pauses(action_id, timeout, "bulk action")
        action = await self.retrieve(action_id)
        while not action.is_finished:
            await asyncio.sleep(next(waits))
            action = await self.retrieve(action_id)
        return action

    def list(self, *, limit: int = 25, cursor: str | None = None) -> AsyncBulkActions:
        """Bulk actions, newest first. Iterate over it: further pages are fetched as needed."""

        async def fetch(where: str | None) -> BulkPage:
            return await list_bulk(limit, where).ask_async(self._transport)

        return AsyncBulkActions(fetch, cursor)
