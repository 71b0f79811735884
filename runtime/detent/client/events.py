"""Following a feed of a server: server-sent events, from connection to connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from ..model.transport import FeedEvent
from .http_messages import HttpRequest, error_in

if TYPE_CHECKING:
    import httpx
    from httpx_sse import ServerSentEvent

__all__ = ["Follower", "hear_end", "hear_end_async"]

#: Seconds between tries to come back, the last one again and again.
_PAUSES = (0.05, 0.2, 0.5, 1.0)
#: Longest silence on a connection that is there, in seconds; the server says something every 15.
_SILENCE_S = 45.0
#: Longest time to connect, or to be let in, in seconds.
_ANSWER_S = 30.0
_BUSY = frozenset({429, 502, 503, 504})


class Follower:
    """One reader of one feed over HTTP. After a break it goes on from the latest event that it was told.

    Parameters:
      request: for the feed. `after`: the id of the latest event that is known.
      outcome: raises the error for a server that does not come back.
      patience_s: how long it may be away, in seconds.
    """

    def __init__(
        self,
        request: HttpRequest,
        after: str | None,
        outcome: Callable[[None, httpx.TransportError], Any],
        patience_s: float,
    ) -> None:
        self._feed = request
        self._after = after
        self._outcome = outcome
        self._patience_s = patience_s
        self._tries = 0
        self._since = time.monotonic()
        self._over = False

    def events(self, client: httpx.Client) -> Iterator[FeedEvent]:
        """The events, to the last. Errors: those of the server; `ServerUnreachable`."""
        import httpx
        from httpx_sse import EventSource

        while not self._is_over():
            lost = httpx.TransportError("the connection was closed")
            try:
                with client.stream("GET", self._feed.path, **self._options()) as answer:
                    if not answer.is_success:
                        answer.read()
                    if self._is_open(answer):
                        for event in EventSource(answer).iter_sse():
                            told = self._take(event)
                            if told is not None:
                                yield told
                            if self._is_over():
                                return
            except httpx.TransportError as error:
                lost = error
            if not self._is_over():
                time.sleep(self._pause(lost))

    async def events_async(self, client: httpx.AsyncClient) -> AsyncIterator[FeedEvent]:
        """`events`, for an event loop."""
        import httpx
        from httpx_sse import EventSource

        while not self._is_over():
            lost = httpx.TransportError("the connection was closed")
            try:
                async with client.stream("GET", self._feed.path, **self._options()) as answer:
                    if not answer.is_success:
                        await answer.aread()
                    if self._is_open(answer):
                        async for event in EventSource(answer).aiter_sse():
                            told = self._take(event)
                            if told is not None:
                                yield told
                            if self._is_over():
                                return
            except httpx.TransportError as error:
                lost = error
            if not self._is_over():
                await asyncio.sleep(self._pause(lost))

    def _is_over(self) -> bool:
        return self._over

    def _options(self) -> dict[str, Any]:
        import httpx

        headers = {"accept": "text/event-stream", "cache-control": "no-store"}
        if self._after:
            headers["last-event-id"] = self._after
        return {"params": self._feed.query, "headers": headers, "timeout": httpx.Timeout(_ANSWER_S, read=_SILENCE_S)}

    def _is_open(self, answer: httpx.Response) -> bool:
        if answer.status_code in _BUSY:
            return False
        if answer.status_code == 204:
            self._over = True
            return False
        if not answer.is_success or not answer.headers.get("content-type", "").startswith("text/event-stream"):
            raise error_in(answer)
        return True

    def _take(self, event: ServerSentEvent) -> FeedEvent | None:
        self._tries = 0
        if event.id:
            self._after = event.id
        if not event.data:
            return None
        self._over = event.event == "end"
        return FeedEvent(event.id, event.event, msgspec.json.decode(event.data))

    def _pause(self, lost: httpx.TransportError) -> float:
        if self._tries == 0:
            # It is away from now on; before, it only had nothing to tell.
            self._since = time.monotonic()
        if time.monotonic() - self._since >= self._patience_s:
            self._outcome(None, lost)
        pause = _PAUSES[min(self._tries, len(_PAUSES) - 1)]
        self._tries += 1
        return pause


def hear_end(client: httpx.Client, feed: HttpRequest, most_s: float) -> bool:
    """Listen for the end of a feed; False where the server does not tell.

    Parameters:
      most_s: how long, in seconds; up to twice as long where other things are told.
    """
    import httpx

    ends = time.monotonic() + most_s
    try:
        with client.stream(feed.method, feed.path, timeout=httpx.Timeout(_ANSWER_S, read=most_s)) as answer:
            if answer.status_code != httpx.codes.OK:
                return False
            for line in answer.iter_lines():
                if line == "event: end" or time.monotonic() >= ends:
                    break
            return True
    except httpx.ReadTimeout:
        return True
    except httpx.TransportError:
        return False


async def hear_end_async(client: httpx.AsyncClient, feed: HttpRequest, most_s: float) -> bool:
    """`hear_end`, for an event loop."""
    import httpx

    ends = time.monotonic() + most_s
    try:
        timeout = httpx.Timeout(_ANSWER_S, read=most_s)
        async with client.stream(feed.method, feed.path, timeout=timeout) as answer:
            if answer.status_code != httpx.codes.OK:
                return False
            async for line in answer.aiter_lines():
                if line == "event: end" or time.monotonic() >= ends:
                    break
            return True
    except httpx.ReadTimeout:
        return True
    except httpx.TransportError:
        return False
