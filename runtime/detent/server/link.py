"""One link of a supervisor far away: connections of its workers, told apart by number."""

from __future__ import annotations

import asyncio
import logging
import struct
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice

import msgspec

from ..errors import DetentError
from ..model.framing import FRAME_BYTES
from ..model.links import down_piece
from .conversation import Conversation

__all__ = ["Link"]

logger = logging.getLogger("detent.server")

#: What may wait on either way before the link is given up, in bytes.
_MOST_BYTES = FRAME_BYTES + 64 * 1024 * 1024
#: Connections at once: worker processes, and those of single runs.
_CHANNELS = 4_096
#: Bytes of a piece: what came before a connection broke is not sent again.
_PIECE_BYTES = 16 * 1024
#: Bytes that are written to the reader at once.
_CHUNK = 1024 * 1024

_LENGTH = struct.Struct("!I")


class Link:
    """What goes up is dealt with in order, connection by connection, on threads of `pool`; what goes down waits here
    until it is said to have come. No thread waits for either.

    Parameters:
      key_id, env: of the key that opened it. `converse`: makes the conversation of a new connection, given its `write`.
    """

    def __init__(
        self,
        key_id: str,
        env: str,
        loop: asyncio.AbstractEventLoop,
        pool: ThreadPoolExecutor,
        converse: Callable[[Callable[[Sequence[bytes]], None]], Conversation],
    ) -> None:
        self.key_id = key_id
        self.env = env
        self.closed = False
        #: When something was posted last, by the loop's clock.
        self.heard_at = loop.time()
        self._loop = loop
        self._pool = pool
        self._converse = converse
        self._taken = 0
        self._channels: dict[int, _Channel] = {}
        self._lock = threading.Lock()
        #: Pieces that have not come yet, as far as is known; the first has the number `_first`.
        self._down: deque[bytes] = deque()
        self._down_bytes = 0
        self._first = 1
        self._sent = 0
        self._reader = 0
        self._more = asyncio.Event()
        self._waking = False

    # Up, on the loop.

    def take(self, number: int, got: int, pieces: Sequence[tuple[int, bytes]]) -> bool:
        """Take what was posted as the `number`-th; once, however often it is posted. False when one is missing."""
        self.heard_at = self._loop.time()
        self._forget(got)
        if number <= self._taken:
            return True
        if number > self._taken + 1:
            self.close()
            return False
        self._taken = number
        for channel_number, data in pieces:
            channel = self._channels.get(channel_number)
            if channel is None and data and len(self._channels) < _CHANNELS:
                channel = self._channels[channel_number] = _Channel(channel_number, self, self._pool, self._converse)
            if channel is not None:
                channel.feed(data)
                if not data:
                    del self._channels[channel_number]
        if sum(channel.waiting_bytes for channel in self._channels.values()) > _MOST_BYTES:
            logger.warning("a supervisor of workers sends faster than is dealt with; its link is closed")
            self.close()
        return True

    def close(self) -> None:
        """The link has ended, and all its connections with it."""
        if self.closed:
            return
        self.closed = True
        for channel in self._channels.values():
            channel.feed(b"")
        self._channels.clear()
        self._more.set()

    # Down.

    def tell(self, channel: int, data: bytes) -> None:
        """Send bytes on a connection, from any thread; none: it is closed. Errors: `ConnectionError`."""
        with self._lock:
            if self.closed or self._down_bytes > _MOST_BYTES:
                raise ConnectionError("the link has ended" if self.closed else "nobody reads what is sent")
            for at in range(0, len(data) or 1, _PIECE_BYTES):
                piece = down_piece(self._first + len(self._down), channel, data[at : at + _PIECE_BYTES])
                self._down.append(piece)
                self._down_bytes += len(piece)
            if self._waking:
                return
            self._waking = True
        # Without a loop the server has been stopped.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._wake)

    def begin(self, after: int) -> int:
        """Read from the piece after `after` on; the number of this reader, which ends the one before."""
        self._forget(after)
        with self._lock:
            self._sent = self._first - 1
        self._reader += 1
        self._more.set()
        return self._reader

    def is_read_by(self, reader: int) -> bool:
        return self._reader == reader and not self.closed

    def has_pieces(self) -> bool:
        return self._sent < self._first + len(self._down) - 1

    def pieces(self) -> list[bytes]:
        """What has not been sent to this reader yet, a part of it where it is much."""
        with self._lock:
            found: list[bytes] = []
            size = 0
            for piece in islice(self._down, self._sent - self._first + 1, None):
                found.append(piece)
                size += len(piece)
                if size >= _CHUNK:
                    break
            self._sent += len(found)
        return found

    async def more(self, seconds: float) -> bool:
        """Wait until there is more to send, for so long at the most; whether there may be."""
        if self.has_pieces() or self.closed:
            return True
        self._more.clear()
        if self.has_pieces():
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._more.wait()
        except TimeoutError:
            return False
        return True

    def _wake(self) -> None:
        self._waking = False
        self._more.set()

    def _forget(self, got: int) -> None:
        """The other side has everything up to the piece `got`."""
        with self._lock:
            while self._down and self._first <= got:
                self._down_bytes -= len(self._down.popleft())
                self._first += 1
            self._sent = max(self._sent, self._first - 1)


class _Channel:
    """One connection of a worker: its bytes are put together to frames, which are dealt with one after another."""

    def __init__(
        self,
        number: int,
        link: Link,
        pool: ThreadPoolExecutor,
        converse: Callable[[Callable[[Sequence[bytes]], None]], Conversation],
    ) -> None:
        self._number = number
        self._link = link
        self._pool = pool
        self._conversation = converse(self._write)
        self._lock = threading.Lock()
        self._waiting: deque[bytes] = deque()
        self.waiting_bytes = 0
        self._busy = False
        self._ended = False
        self._buffer = bytearray()

    def feed(self, data: bytes) -> None:
        """The next bytes; none: the connection has closed."""
        with self._lock:
            self._waiting.append(data)
            self.waiting_bytes += len(data)
            if self._busy:
                return
            self._busy = True
        self._pool.submit(self._work)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._busy = False
                    return
                # What came while the last frames were worked on is taken together.
                came = list(self._waiting)
                self._waiting.clear()
                self.waiting_bytes = 0
            if self._ended:
                continue
            try:
                self._hear(b"".join(came))
            except (OSError, msgspec.DecodeError, DetentError) as error:
                logger.debug("the connection of a worker ended: %s", error)
                self._end()
            except Exception:
                logger.exception("the connection of a worker failed")
                self._end()
            else:
                if not came[-1]:
                    self._end()

    def _hear(self, data: bytes) -> None:
        self._buffer += data
        frames: list[bytes] = []
        at = 0
        while len(self._buffer) - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer, at)
            if length > FRAME_BYTES:
                raise ConnectionError(f"a frame of {length} bytes is not one of detent's")
            end = at + _LENGTH.size + length
            if len(self._buffer) < end:
                break
            frames.append(bytes(self._buffer[at + _LENGTH.size : end]))
            at = end
        del self._buffer[:at]
        if frames:
            self._conversation.hear(frames)

    def _end(self) -> None:
        self._ended = True
        self._buffer.clear()
        with suppress(OSError):
            self._link.tell(self._number, b"")
        self._conversation.end()

    def _write(self, bodies: Sequence[bytes]) -> None:
        self._link.tell(self._number, b"".join(part for body in bodies for part in (_LENGTH.pack(len(body)), body)))
