"""Pages of runs that go on by themselves: iterate over one and the following pages are fetched when
needed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

from ..model.views import RunPage, RunSummary

__all__ = ["AsyncRuns", "Runs"]


class Runs:
    """Runs, newest first. Iterating goes on to further pages; `page()` gives the first page alone."""

    def __init__(self, fetch: Callable[[str | None], RunPage], cursor: str | None = None) -> None:
        self._fetch = fetch
        self._cursor = cursor

    def page(self) -> RunPage:
        """One page: its `items`, and the `next_cursor` for the following one."""
        return self._fetch(self._cursor)

    def __iter__(self) -> Iterator[RunSummary]:
        page = self.page()
        yield from page.items
        while page.next_cursor is not None:
            page = self._fetch(page.next_cursor)
            yield from page.items


class AsyncRuns:
    """Runs, newest first: ``async for`` goes on to further pages; awaiting it gives the first page alone."""

    def __init__(self, fetch: Callable[[str | None], Awaitable[RunPage]], cursor: str | None = None) -> None:
        self._fetch = fetch
        self._cursor = cursor

    async def page(self) -> RunPage:
        """One page: its `items`, and the `next_cursor` for the following one."""
        return await self._fetch(self._cursor)

    async def __aiter__(self) -> AsyncIterator[RunSummary]:
        page = await self.page()
        for run in page.items:
            yield run
        while page.next_cursor is not None:
            page = await self._fetch(page.next_cursor)
            for run in page.items:
                yield run
