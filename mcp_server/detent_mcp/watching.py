"""Telling clients that a run which they watch has changed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, EmptyResult, SubscriptionsListenRequestParams, SubscriptionsListenResult

from detent.errors import DetentError

from .resources import run_of

if TYPE_CHECKING:
    from .link import Link

__all__ = ["Watching"]

logger = logging.getLogger("detent.mcp")

#: Runs that one client watches at once.
_MOST = 50

Open = Callable[[], Awaitable["Link"]]
Tell = Callable[[str], Awaitable[None]]


class Watching:
    """The runs that clients watch.

    Up to 2025-11-25 a client subscribes to one address after the other; since then it opens a stream and names all of
    them. Pages and tasks may be named too: they do not change while a server runs.
    """

    def __init__(self) -> None:
        self._subscribed: WeakKeyDictionary[Any, dict[str, asyncio.Task[None]]] = WeakKeyDictionary()

    async def subscribe(self, session: Any, uri: str, link: Open) -> EmptyResult:
        """Tell the client of `session` of changes at `uri`, until it goes or unsubscribes. Errors: `MCPError`."""
        run = run_of(uri)
        watched = self._of(session)
        if run is not None and uri not in watched:
            if len(watched) >= _MOST:
                raise MCPError(INVALID_PARAMS, f"{_MOST} runs are watched already; unsubscribe from some")
            watched[uri] = asyncio.create_task(self._follow(run, uri, link, session.send_resource_updated))
        return EmptyResult()

    async def unsubscribe(self, session: Any, uri: str) -> EmptyResult:
        """Tell no more."""
        task = self._of(session).pop(uri, None)
        if task is not None:
            task.cancel()
        return EmptyResult()

    async def listen(
        self, context: Any, params: SubscriptionsListenRequestParams, link: Open
    ) -> SubscriptionsListenResult:
        """Serve one stream of changes, until the client closes it."""
        from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ResourceUpdated

        # Each stream has a bus of its own: what one caller may see is nothing to another.
        bus = InMemorySubscriptionBus()

        async def tell(uri: str) -> None:
            await bus.publish(ResourceUpdated(uri))

        uris: Sequence[str] = params.notifications.resource_subscriptions or ()
        runs = [(uri, run) for uri in uris if (run := run_of(uri)) is not None]
        if len(runs) > _MOST:
            raise MCPError(INVALID_PARAMS, f"at most {_MOST} runs can be watched at once, {len(runs)} were named")
        tasks = [asyncio.create_task(self._follow(run, uri, link, tell)) for uri, run in runs]
        try:
            return await ListenHandler(bus)(context, params)
        finally:
            for task in tasks:
                task.cancel()

    def _of(self, session: Any) -> dict[str, asyncio.Task[None]]:
        """What the connection watches; it ends with the connection."""
        connection = getattr(session, "_connection", session)
        watched = self._subscribed.get(connection)
        if watched is None:
            watched = self._subscribed[connection] = {}
            mine = watched

            def end() -> None:
                for task in mine.values():
                    task.cancel()

            with suppress(AttributeError):
                connection.exit_stack.callback(end)
        return watched

    async def _follow(self, run: str, uri: str, link: Open, tell: Tell) -> None:
        try:
            api = (await link()).api
            # The first one says how the run is now: it may have changed since the client has read it.
            async for _ in api.runs.subscribe(run):
                await tell(uri)
        except (DetentError, MCPError) as error:
            logger.info("the run %s is watched no more: %s", run, error)
        except Exception:
            logger.exception("the run %s is watched no more", run)
