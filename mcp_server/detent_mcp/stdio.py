"""The server over standard input and output, on which nothing else may be said."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from io import TextIOWrapper
from typing import NamedTuple

from .connection import Far
from .settings import Settings

__all__ = ["Wire", "serve", "take_wire"]


#: How long what is under way may take to end when the client has gone, in seconds.
_PATIENCE_S = 0.6


class Wire(NamedTuple):
    """Descriptors of what the client writes and reads."""

    come: int
    go: int


def take_wire() -> Wire:
    """Keep standard input and output for the protocol. From now on whatever is printed, in whatever way, goes to
    standard error, and whoever reads standard input finds nothing."""
    sys.stdout.flush()
    wire = Wire(os.dup(0), os.dup(1))
    os.dup2(2, 1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    return wire


def serve(settings: Settings, wire: Wire, far: Callable[[], Far | None]) -> None:
    """Serve until the client closes its end; this ends the process.

    Errors: `InvalidOptions` and `ConfigError` for the settings.
    """
    import anyio
    from mcp.server.stdio import stdio_server

    from .connection import Connection
    from .server import Entry, make_server
    from .tools.deploying import give_up

    async def run() -> None:
        connection = Connection(settings, far)

        def end() -> None:
            if connection.dev is not None:
                connection.dev.let_go()
            # Whoever asked for it has gone; left alone, it would look as if it went on for ten minutes.
            give_up(_PATIENCE_S)

        def end_by(number: int) -> None:
            # The thread that reads standard input would hold up any other end.
            end()
            os._exit(128 + number)

        with suppress(NotImplementedError):  # Windows has no such handlers
            for each in (signal.SIGINT, signal.SIGTERM):
                asyncio.get_running_loop().add_signal_handler(each, end_by, each)
        entry = Entry(connection, settings)
        server = make_server(settings, lambda _context: entry)
        come = anyio.wrap_file(TextIOWrapper(os.fdopen(wire.come, "rb"), encoding="utf-8", errors="replace"))
        go = anyio.wrap_file(TextIOWrapper(os.fdopen(wire.go, "wb"), encoding="utf-8"))
        try:
            async with stdio_server(come, go) as (reading, writing):
                await server.run(reading, writing, server.create_initialization_options())
        finally:
            end()

    with suppress(KeyboardInterrupt, BrokenPipeError):
        anyio.run(run)
    sys.stderr.flush()
    # Threads that still wait for a server do not hold up the end.
    os._exit(0)
