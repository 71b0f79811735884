"""The batches of a client, blocking and awaited."""

from __future__ import annotations

import asyncio
import time

from ..model.batch_views import BatchDetail, BatchPage, BatchResults
from ..model.duration import Duration
from ..model.transport import Transport
from .batch_calls import list_batches, results_of_batch, retrieve_batch
from .pages import AsyncBatches, AsyncBatchOutcomes, Batches, BatchOutcomes
from .waiting import pauses

__all__ = ["AsyncBatchesResource", "BatchesResource"]


class BatchesResource:
    """Batches: runs that were triggered together, and how they stand as a whole."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def retrieve(self, batch_id: str, *, limit: int = 100, cursor: str | None = None) -> BatchDetail:
        """How a batch stands: its status, how many runs are in each status, and the ids of `limit` (1 to 1,000) of its
        runs in the order of the items. Errors: `NotFound`."""
        return retrieve_batch(batch_id, limit, cursor).ask(self._transport)

    def results(self, batch_id: str, *, limit: int = 25, cursor: str | None = None) -> BatchOutcomes:
        """How the runs of a batch stand, in the order of the items, with their outputs and errors. Iterate over it:
        further pages, of 1 to 100, are fetched as needed. Errors: `NotFound`."""

        def fetch(where: str | None) -> BatchResults:
            return results_of_batch(batch_id, limit, where).ask(self._transport)

        return BatchOutcomes(fetch, cursor)

    def poll(self, batch_id: str, timeout: Duration | None = None) -> BatchDetail:
        """Wait until all runs of a batch have ended. `timeout` in seconds or as text; `TimeoutError` when it has
        passed."""
        waits = pauses(batch_id, timeout, "batch")
        batch = self.retrieve(batch_id)
        while not batch.is_finished:
            time.sleep(next(waits))
            batch = self.retrieve(batch_id)
        return batch

    def list(self, *, limit: int = 25, cursor: str | None = None) -> Batches:
        """Batches, newest first. Iterate over it: further pages are fetched as needed."""

        def fetch(where: str | None) -> BatchPage:
            return list_batches(limit, where).ask(self._transport)

        return Batches(fetch, cursor)


class AsyncBatchesResource:
    """Batches: runs that were triggered together, and how they stand as a whole."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def retrieve(self, batch_id: str, *, limit: int = 100, cursor: str | None = None) -> BatchDetail:
        """How a batch stands: its status, how many runs are in each status, and the ids of `limit` (1 to 1,000) of its
        runs in the order of the items. Errors: `NotFound`."""
        return await retrieve_batch(batch_id, limit, cursor).ask_async(self._transport)

    def results(self, batch_id: str, *, limit: int = 25, cursor: str | None = None) -> AsyncBatchOutcomes:
        """How the runs of a batch stand, in the order of the items, with their outputs and errors. Iterate over it:
        further pages, of 1 to 100, are fetched as needed. Errors: `NotFound`."""

        async def fetch(where: str | None) -> BatchResults:
            return await results_of_batch(batch_id, limit, where).ask_async(self._transport)

        return AsyncBatchOutcomes(fetch, cursor)

    async def poll(
        self,
        batch_id: str,
        timeout: Duration | None = None,  # noqa: ASYNC109  # as of `runs.poll`
    ) -> BatchDetail:
        """Wait until all runs of a batch have ended. `timeout` in seconds or as text; `TimeoutError` when it has
        passed."""
        waits = pauses(batch_id, timeout, "batch")
        batch = await self.retrieve(batch_id)
        while not batch.is_finished:
            await asyncio.sleep(next(waits))
            batch = await self.retrieve(batch_id)
        return batch

    def list(self, *, limit: int = 25, cursor: str | None = None) -> AsyncBatches:
        """Batches, newest first. Iterate over it: further pages are fetched as needed."""

        async def fetch(where: str | None) -> BatchPage:
            return await list_batches(limit, where).ask_async(self._transport)

        return AsyncBatches(fetch, cursor)
