"""The logs of a client, blocking and awaited."""

from __future__ import annotations

from ..model.duration import When
from ..model.log_views import LogPage
from ..model.transport import Transport
from .log_calls import log_filters, search_logs
from .pages import AsyncLogs, Logs

__all__ = ["AsyncLogsResource", "LogsResource"]


class LogsResource:
    """What runs wrote, over all runs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def search(
        self,
        text: str | None = None,
        *,
        level: str | None = None,
        task: str | None = None,
        run: str | None = None,
        since: When | None = None,
        until: When | None = None,
        order: str = "newest",
        limit: int = 100,
        cursor: str | None = None,
    ) -> Logs:
        """Lines that runs wrote, over all runs. Iterate over it: further pages are fetched as needed.

        Parameters:
          text: in the message or the attributes; ASCII letters in either case.
          level: this one and those above it: ``debug``, ``info``, ``warn``, ``error``. `task`, `run`: of these.
          since, until: written from and before; a moment, or a length of time ago such as ``"1h"``.
          order: ``newest`` or ``oldest`` first.
          limit: lines of a page, 1 to 1,000; a page may be shorter while there are more. `cursor`: where to go on,
            from `LogPage.next_cursor`.

        Errors: `InvalidOptions`.
        """
        filters = log_filters(
            text=text, level=level, task=task, run=run, since=since, until=until, order=order, limit=limit
        )

        def fetch(where: str | None) -> LogPage:
            return search_logs(filters, where).ask(self._transport)

        return Logs(fetch, cursor)


class AsyncLogsResource:
    """What runs wrote, over all runs."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def search(
        self,
        text: str | None = None,
        *,
        level: str | None = None,
        task: str | None = None,
        run: str | None = None,
        since: When | None = None,
        until: When | None = None,
        order: str = "newest",
        limit: int = 100,
        cursor: str | None = None,
    ) -> AsyncLogs:
        """Lines that runs wrote, over all runs. Iterate over it: further pages are fetched as needed.

        Parameters:
          text: in the message or the attributes; ASCII letters in either case.
          level: this one and those above it: ``debug``, ``info``, ``warn``, ``error``. `task`, `run`: of these.
          since, until: written from and before; a moment, or a length of time ago such as ``"1h"``.
          order: ``newest`` or ``oldest`` first.
          limit: lines of a page, 1 to 1,000; a page may be shorter while there are more. `cursor`: where to go on,
            from `LogPage.next_cursor`.

        Errors: `InvalidOptions`.
        """
        filters = log_filters(
            text=text, level=level, task=task, run=run, since=since, until=until, order=order, limit=limit
        )

        async def fetch(where: str | None) -> LogPage:
            return await search_logs(filters, where).ask_async(self._transport)

        return AsyncLogs(fetch, cursor)
