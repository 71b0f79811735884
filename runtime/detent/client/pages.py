"""Pages that go on by themselves: iterate over one and the following pages are fetched when needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from ..model.alert_views import DeliveryPage, DeliverySummary
from ..model.batch_views import BatchPage, BatchResults, BatchSummary
from ..model.bulk_views import BulkAction, BulkPage
from ..model.deployment_views import Deployment, DeploymentPage
from ..model.error_views import ErrorPage, ErrorSummary
from ..model.log_views import FoundLine, LogPage
from ..model.queue_views import QueueKey, QueueKeyPage
from ..model.schedule_views import SchedulePage, ScheduleSummary
from ..model.views import RunOutcome, RunPage, RunSummary, TokenPage, TokenSummary

__all__ = [
    "AsyncBatchOutcomes",
    "AsyncBatches",
    "AsyncBulkActions",
    "AsyncDeliveries",
    "AsyncDeployments",
    "AsyncErrors",
    "AsyncLogs",
    "AsyncQueueKeys",
    "AsyncRuns",
    "AsyncSchedules",
    "AsyncTokens",
    "BatchOutcomes",
    "Batches",
    "BulkActions",
    "Deliveries",
    "Deployments",
    "Errors",
    "Logs",
    "QueueKeys",
    "Runs",
    "Schedules",
    "Tokens",
]


class _Page(Protocol):
    """Some items, and where the following ones are."""

    @property
    def items(self) -> list[Any]: ...

    @property
    def next_cursor(self) -> str | None: ...


P = TypeVar("P", bound=_Page)
T = TypeVar("T")


class _Pages(Generic[P, T]):
    def __init__(self, fetch: Callable[[str | None], P], cursor: str | None = None) -> None:
        self._fetch = fetch
        self._cursor = cursor

    def page(self) -> P:
        """One page: its `items`, and the `next_cursor` for the following one."""
        return self._fetch(self._cursor)

    def __iter__(self) -> Iterator[T]:
        page = self.page()
        yield from page.items
        while page.next_cursor is not None:
            page = self._fetch(page.next_cursor)
            yield from page.items


class _AsyncPages(Generic[P, T]):
    def __init__(self, fetch: Callable[[str | None], Awaitable[P]], cursor: str | None = None) -> None:
        self._fetch = fetch
        self._cursor = cursor

    async def page(self) -> P:
        """One page: its `items`, and the `next_cursor` for the following one."""
        return await self._fetch(self._cursor)

    async def __aiter__(self) -> AsyncIterator[T]:
        page = await self.page()
        for item in page.items:
            yield item
        while page.next_cursor is not None:
            page = await self._fetch(page.next_cursor)
            for item in page.items:
                yield item


class Runs(_Pages[RunPage, RunSummary]):
    """Runs, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncRuns(_AsyncPages[RunPage, RunSummary]):
    """Runs, newest first: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class Tokens(_Pages[TokenPage, TokenSummary]):
    """Tokens, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncTokens(_AsyncPages[TokenPage, TokenSummary]):
    """Tokens, newest first: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class Errors(_Pages[ErrorPage, ErrorSummary]):
    """Error groups, latest seen first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncErrors(_AsyncPages[ErrorPage, ErrorSummary]):
    """Error groups, latest seen first: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class QueueKeys(_Pages[QueueKeyPage, QueueKey]):
    """Concurrency keys of a queue, those with the most runs first. Iterating goes on to further pages; `page()` gives
    the first page alone."""


class AsyncQueueKeys(_AsyncPages[QueueKeyPage, QueueKey]):
    """Concurrency keys of a queue, those with the most runs first: ``async for`` goes on to further pages; `page()`
    gives the first page alone."""


class Logs(_Pages[LogPage, FoundLine]):
    """Lines over all runs. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncLogs(_AsyncPages[LogPage, FoundLine]):
    """Lines over all runs: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class Schedules(_Pages[SchedulePage, ScheduleSummary]):
    """Schedules, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncSchedules(_AsyncPages[SchedulePage, ScheduleSummary]):
    """Schedules, newest first: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class BulkActions(_Pages[BulkPage, BulkAction]):
    """Bulk actions, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncBulkActions(_AsyncPages[BulkPage, BulkAction]):
    """Bulk actions, newest first: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class Deliveries(_Pages[DeliveryPage, DeliverySummary]):
    """Messages of alerts, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncDeliveries(_AsyncPages[DeliveryPage, DeliverySummary]):
    """Messages of alerts, newest first: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class Batches(_Pages[BatchPage, BatchSummary]):
    """Batches, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncBatches(_AsyncPages[BatchPage, BatchSummary]):
    """Batches, newest first: ``async for`` goes on to further pages; `page()` gives the first page alone."""


class BatchOutcomes(_Pages[BatchResults, RunOutcome]):
    """How runs of a batch stand, in the order of the items. Iterating goes on to further pages; `page()` gives the
    first page alone."""


class AsyncBatchOutcomes(_AsyncPages[BatchResults, RunOutcome]):
    """How runs of a batch stand, in the order of the items: ``async for`` goes on to further pages; `page()` gives the
    first page alone."""


class Deployments(_Pages[DeploymentPage, Deployment]):
    """Deployments, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""


class AsyncDeployments(_AsyncPages[DeploymentPage, Deployment]):
    """Deployments, newest first: ``async for`` goes on to further pages; `page()` gives the first page alone."""
