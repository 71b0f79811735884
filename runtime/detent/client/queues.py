"""The queues of a client, blocking and awaited."""

from __future__ import annotations

import builtins

from ..model.duration import Duration
from ..model.queue_views import QueueKeyPage
from ..model.transport import Transport
from ..model.views import QueueView
from .pages import AsyncQueueKeys, QueueKeys
from .queue_calls import (
    keys_of_queue,
    list_queues,
    override_limit,
    pause_queue,
    reset_limit,
    resume_queue,
    retrieve_queue,
)

__all__ = ["AsyncQueuesResource", "QueuesResource"]


class QueuesResource:
    """Queues: limits, what executes, what waits; pausing them, and other limits for a time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self) -> builtins.list[QueueView]:
        """The queues of this project, by name."""
        return list_queues().ask(self._transport)

    def retrieve(self, name: str) -> QueueView:
        """One queue. Errors: `NotFound` with near names."""
        return retrieve_queue(name).ask(self._transport)

    def keys(self, name: str, *, limit: int = 25, cursor: str | None = None) -> QueueKeys:
        """The concurrency keys of a queue that have runs which execute or wait, those with the most first. Iterate over
        it: further pages are fetched as needed. Errors: `NotFound`."""

        def fetch(where: str | None) -> QueueKeyPage:
            return keys_of_queue(name, limit, where).ask(self._transport)

        return QueueKeys(fetch, cursor)

    def pause(self, name: str) -> QueueView:
        """Start no more runs of a queue; what executes goes on. Errors: `NotFound`."""
        return pause_queue(name).ask(self._transport)

    def resume(self, name: str) -> QueueView:
        """Start the runs of a queue again, at once. Errors: `NotFound`."""
        return resume_queue(name).ask(self._transport)

    def override_limit(self, name: str, limit: int, *, ttl: Duration | None = None) -> QueueView:
        """Let another limit hold than the one that code or settings declare, whatever workers declare meanwhile.

        Parameters:
          limit: most runs at once, from 1. `ttl`: how long, in seconds or as text; None: until it is reset.

        Errors: `NotFound`; `InvalidOptions`.
        """
        return override_limit(name, limit, ttl).ask(self._transport)

    def reset_limit(self, name: str) -> QueueView:
        """Let the declared limit hold again. Errors: `NotFound`."""
        return reset_limit(name).ask(self._transport)


class AsyncQueuesResource:
    """Queues: limits, what executes, what waits; pausing them, and other limits for a time."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def list(self) -> builtins.list[QueueView]:
        """The queues of this project, by name."""
        return await list_queues().ask_async(self._transport)

    async def retrieve(self, name: str) -> QueueView:
        """One queue. Errors: `NotFound` with near names."""
        return await retrieve_queue(name).ask_async(self._transport)

    def keys(self, name: str, *, limit: int = 25, cursor: str | None = None) -> AsyncQueueKeys:
        """The concurrency keys of a queue that have runs which execute or wait, those with the most first. Iterate over
        it: further pages are fetched as needed. Errors: `NotFound`."""

        async def fetch(where: str | None) -> QueueKeyPage:
            return await keys_of_queue(name, limit, where).ask_async(self._transport)

        return AsyncQueueKeys(fetch, cursor)

    async def pause(self, name: str) -> QueueView:
        """Start no more runs of a queue; what executes goes on. Errors: `NotFound`."""
        return await pause_queue(name).ask_async(self._transport)

    async def resume(self, name: str) -> QueueView:
        """Start the runs of a queue again, at once. Errors: `NotFound`."""
        return await resume_queue(name).ask_async(self._transport)

    async def override_limit(self, name: str, limit: int, *, ttl: Duration | None = None) -> QueueView:
        """Let another limit hold than the one that code or settings declare, whatever workers declare meanwhile.

        Parameters:
          limit: most runs at once, from 1. `ttl`: how long, in seconds or as text; None: until it is reset.

        Errors: `NotFound`; `InvalidOptions`.
        """
        return await override_limit(name, limit, ttl).ask_async(self._transport)

    async def reset_limit(self, name: str) -> QueueView:
        """Let the declared limit hold again. Errors: `NotFound`."""
        return await reset_limit(name).ask_async(self._transport)
