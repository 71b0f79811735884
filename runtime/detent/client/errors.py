"""The errors of a client, blocking and awaited."""

from __future__ import annotations

from collections.abc import Iterable

from ..model.duration import When
from ..model.error_views import ErrorDetail, ErrorPage
from ..model.transport import Transport
from .error_calls import error_filters, ignore_error, list_errors, resolve_error, retrieve_error, unresolve_error
from .pages import AsyncErrors, Errors

__all__ = ["AsyncErrorsResource", "ErrorsResource"]


class ErrorsResource:
    """Errors: failed runs in groups, by the fingerprint of what went wrong."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        status: str | Iterable[str] | None = None,
        task: str | Iterable[str] | None = None,
        search: str | None = None,
        since: When | None = None,
        until: When | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> Errors:
        """Error groups, latest seen first. Iterate over it: further pages are fetched as needed.

        Parameters:
          status: ``UNRESOLVED``, ``RESOLVED``, ``IGNORED``; one, or several of which one must fit. `task`: likewise.
          search: text of the type or the message.
          since, until: last seen from and before; a moment, or a length of time ago such as ``"1h"``.
          limit: groups of a page, 1 to 100. `cursor`: where to go on, from `ErrorPage.next_cursor`.
        """
        filters = error_filters(status=status, task=task, search=search, since=since, until=until, limit=limit)

        def fetch(where: str | None) -> ErrorPage:
            return list_errors(filters, where).ask(self._transport)

        return Errors(fetch, cursor)

    def retrieve(self, error_id: str) -> ErrorDetail:
        """All that is known of a group, with its latest runs. Errors: `NotFound`."""
        return retrieve_error(error_id).ask(self._transport)

    def resolve(self, error_id: str) -> ErrorDetail:
        """Say that this has been mended: a later failure is a regression and reopens it. Errors: `NotFound`."""
        return resolve_error(error_id).ask(self._transport)

    def ignore(self, error_id: str, *, until: When | None = None, occurrences: int | None = None) -> ErrorDetail:
        """Tell nobody of this any more: for good, or until one of the two is reached.

        Parameters:
          until: a length of time from now, or a moment (an aware `datetime` or ISO-8601 text).
          occurrences: so many more failures; the last of them reopens it.

        Errors: `NotFound`, `InvalidOptions`.
        """
        return ignore_error(error_id, until, occurrences).ask(self._transport)

    def unresolve(self, error_id: str) -> ErrorDetail:
        """Open it again, whatever was said of it before. Errors: `NotFound`."""
        return unresolve_error(error_id).ask(self._transport)


class AsyncErrorsResource:
    """Errors: failed runs in groups, by the fingerprint of what went wrong."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(
        self,
        *,
        status: str | Iterable[str] | None = None,
        task: str | Iterable[str] | None = None,
        search: str | None = None,
        since: When | None = None,
        until: When | None = None,
        limit: int = 25,
        cursor: str | None = None,
    ) -> AsyncErrors:
        """Error groups, latest seen first. Iterate over it: further pages are fetched as needed.

        Parameters:
          status: ``UNRESOLVED``, ``RESOLVED``, ``IGNORED``; one, or several of which one must fit. `task`: likewise.
          search: text of the type or the message.
          since, until: last seen from and before; a moment, or a length of time ago such as ``"1h"``.
          limit: groups of a page, 1 to 100. `cursor`: where to go on, from `ErrorPage.next_cursor`.
        """
        filters = error_filters(status=status, task=task, search=search, since=since, until=until, limit=limit)

        async def fetch(where: str | None) -> ErrorPage:
            return await list_errors(filters, where).ask_async(self._transport)

        return AsyncErrors(fetch, cursor)

    async def retrieve(self, error_id: str) -> ErrorDetail:
        """All that is known of a group, with its latest runs. Errors: `NotFound`."""
        return await retrieve_error(error_id).ask_async(self._transport)

    async def resolve(self, error_id: str) -> ErrorDetail:
        """Say that this has been mended: a later failure is a regression and reopens it. Errors: `NotFound`."""
        return await resolve_error(error_id).ask_async(self._transport)

    async def ignore(self, error_id: str, *, until: When | None = None, occurrences: int | None = None) -> ErrorDetail:
        """Tell nobody of this any more: for good, or until one of the two is reached.

        Parameters:
          until: a length of time from now, or a moment (an aware `datetime` or ISO-8601 text).
          occurrences: so many more failures; the last of them reopens it.

        Errors: `NotFound`, `InvalidOptions`.
        """
        return await ignore_error(error_id, until, occurrences).ask_async(self._transport)

    async def unresolve(self, error_id: str) -> ErrorDetail:
        """Open it again, whatever was said of it before. Errors: `NotFound`."""
        return await unresolve_error(error_id).ask_async(self._transport)
