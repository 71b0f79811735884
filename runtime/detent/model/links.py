"""How workers far away reach the engine: their supervisor keeps a link to the server over HTTP, which carries the
connections of its worker processes as bytes.

What goes up is posted, numbered from 1, one request at a time; it may be posted again. What comes down are numbered
pieces in one long answer, or in many short ones; they are kept until the other side has said that they came.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version

from msgspec import Struct

__all__ = [
    "CLOCK_MS",
    "HEARTBEAT_S",
    "LINKS",
    "LINK_BODY_BYTES",
    "LINK_DOWN",
    "LINK_PROTOCOL",
    "LINK_UP",
    "SILENT_S",
    "DownReader",
    "LinkMade",
    "LinkWanted",
    "down_piece",
    "heartbeat",
    "own_version",
    "up_piece",
    "up_pieces",
]

#: The version of all that is said over a link, the engine protocol included.
LINK_PROTOCOL = 1
LINKS = "/api/v1/workers/links"
LINK_UP, LINK_DOWN = f"{LINKS}/{{id}}/up", f"{LINKS}/{{id}}/down"
#: Largest body that is posted: what proxies take that were told nothing.
LINK_BODY_BYTES = 1024 * 1024
#: How often the server shows that it is there, in seconds.
HEARTBEAT_S = 3.0
#: A link over which nothing was posted for so long has ended, in seconds.
SILENT_S = 15.0
#: How far the clocks of a worker and its server may be apart, in milliseconds.
CLOCK_MS = 5 * 60_000

_UP = struct.Struct("!II")
_DOWN = struct.Struct("!QII")


class LinkWanted(Struct):
    """First words of a supervisor: the protocol, its version of detent, its machine, and its time in milliseconds since
    1970."""

    protocol: int
    version: str
    host: str
    now: int


class LinkMade(Struct):
    """A link, and the environment whose runs its workers execute: id and name."""

    id: str
    env: str
    environment: str


def own_version() -> str:
    """The version of detent in this process."""
    try:
        return version("detent")
    except PackageNotFoundError:
        return "of a checkout"


def up_piece(channel: int, data: bytes) -> bytes:
    """Bytes of one connection, as they are posted; none: it has closed."""
    return _UP.pack(channel, len(data)) + data


def up_pieces(body: bytes) -> Iterator[tuple[int, bytes]]:
    """The connections, by number, and their bytes in a body. Errors: `ValueError`."""
    view = memoryview(body)
    at = 0
    while at < len(view):
        if len(view) - at < _UP.size:
            raise ValueError("the body ends within a piece")
        channel, length = _UP.unpack_from(view, at)
        at += _UP.size
        if len(view) - at < length:
            raise ValueError("the body ends within a piece")
        yield channel, bytes(view[at : at + length])
        at += length


def down_piece(number: int, channel: int, data: bytes) -> bytes:
    """The `number`-th piece from the server; without bytes, it has closed the connection."""
    return _DOWN.pack(number, channel, len(data)) + data


def heartbeat() -> bytes:
    """The server is there."""
    return _DOWN.pack(0, 0, 0)


class DownReader:
    """Puts pieces from the server together again, however they were cut on the way."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, chunk: bytes) -> Iterator[tuple[int, int, bytes]]:
        """Number, connection and bytes of the pieces that are whole now. A heartbeat has the number 0."""
        self._buffer += chunk
        at = 0
        while len(self._buffer) - at >= _DOWN.size:
            number, channel, length = _DOWN.unpack_from(self._buffer, at)
            end = at + _DOWN.size + length
            if len(self._buffer) < end:
                break
            yield number, channel, bytes(self._buffer[at + _DOWN.size : end])
            at = end
        del self._buffer[:at]
