"""Server-sent events: how they are written, and the answer that carries them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ..engine.feeds import Frame, Position

__all__ = ["EventResponse", "beat", "opening", "wire"]

#: After how long a browser whose connection broke is to come back, in milliseconds.
RETRY_MS = 1_000
#: How long one connection lasts, in seconds. Whoever comes back misses nothing, and has the key checked again.
LIFE_S = 600.0

_HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}


def opening() -> bytes:
    """What every stream of events begins with; it tells proxies and clients that the answer is on its way."""
    return b": detent\nretry: %d\n\n" % RETRY_MS


def wire(frame: Frame) -> bytes:
    """An event. One without data only moves the id from which a reader goes on."""
    if not frame.data:
        return b"id: %s\n\n" % frame.id.encode()
    head = b"id: %s\n" % frame.id.encode()
    if frame.event:
        head += b"event: %s\n" % frame.event.encode()
    # JSON text as it is written here has no line breaks.
    return head + b"data: " + frame.data + b"\n\n"


def beat(position: Position | None = None) -> bytes:
    """A sign of life. `position`: of a list, whose readers are that far, though nothing was for them."""
    return b": beat\n\n" if position is None else b": beat\nid: %d-%d\n\n" % position


class EventResponse(Response):
    """The answer that carries events until they end, the client goes, or the server stops.

    Parameters:
      pieces: what is sent, each at once.
      life_s: how long it lasts, in seconds.
    """

    media_type = "text/event-stream"

    def __init__(self, pieces: AsyncGenerator[Sequence[bytes], None], life_s: float = LIFE_S) -> None:
        super().__init__(None, 200, _HEADERS)
        # Its length is not known.
        self.raw_headers = [(name, value) for name, value in self.raw_headers if name != b"content-length"]
        self._pieces = pieces
        self._life_s = life_s

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  # every answer's
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_left(receive))
        try:
            ended, _ = await asyncio.wait((sending, leaving), timeout=self._life_s, return_when=asyncio.FIRST_COMPLETED)
            if sending.done():
                sending.result()
        finally:
            for task in (sending, leaving):
                task.cancel()
            with suppress(asyncio.CancelledError, OSError):
                await sending
            await self._pieces.aclose()
        if leaving not in ended:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _send(self, send: Send) -> None:
        async for pieces in self._pieces:
            await send({"type": "http.response.body", "body": b"".join(pieces), "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
