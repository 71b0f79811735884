"""What a server shows besides its API, put together by whoever starts it."""

from __future__ import annotations

from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Beside"]


class Beside(Protocol):
    """An ASGI app that answers by way of the server's own API, and is told when the server stops."""

    #: The API, which checks keys; set before the first request.
    api: ASGIApp | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...

    def stop(self) -> None:
        """End what is under way. Called on the event loop."""
        ...
