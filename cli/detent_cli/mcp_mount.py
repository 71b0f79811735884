"""The MCP server at ``/mcp`` of a detent server, imported when somebody first asks for it."""

from __future__ import annotations

import asyncio
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["McpMount"]


class McpMount:
    """What a server shows at ``/mcp``: an ASGI app over its own `api`, see `detent.server.beside.Beside`."""

    def __init__(self) -> None:
        self.api: ASGIApp | None = None
        self._lock = asyncio.Lock()
        self._app: Any = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._app is None:
            async with self._lock:
                if self._app is None:
                    # On a thread: it takes most of a second, in which other requests are answered.
                    module = await asyncio.to_thread(import_module, "detent_mcp.http")
                    self._app = module.McpApp(self.api)
        await self._app(scope, receive, send)

    def stop(self) -> None:
        """End all sessions. To be called on the event loop, when the server stops."""
        if self._app is not None:
            self._app.stop()
