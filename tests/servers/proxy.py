"""A TCP proxy between clients and a server, for what networks do.

with Proxy(server.port) as proxy:
    url = server.url.replace(str(server.port), str(proxy.port))
    proxy.cut()
    proxy.heal()
"""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

from .relay import Relay

__all__ = ["COMMIT_ANSWER", "Proxy"]

#: What a PostgreSQL says when a transaction has been committed: the message CommandComplete.
COMMIT_ANSWER = b"C\x00\x00\x00\x0bCOMMIT\x00"
#: Close makes a reset of it.
_RESET = struct.pack("ii", 1, 0)
_CHUNK = 65_536


class Proxy(Relay):
    """``with Proxy(port) as proxy``: what connects to `proxy.port` reaches `port`, subject to faults.

    Every fault holds, for the connections that there are and for new ones, until `heal`.

    Attributes:
      port: where it listens on 127.0.0.1.
      accepted: how many connections it has passed on. lost: how many answers it has swallowed by `lose_answers`.
    """

    def __init__(self, port: int) -> None:
        super().__init__(port)
        self._pairs: set[_Pair] = set()
        self.accepted = 0
        self.lost = 0
        self.latency_s = 0.0
        self.bytes_per_s: float | None = None
        self._most_bytes: int | None = None
        self._refuses = False
        self._answer: bytes | None = None
        self._every = 1
        self._once = False
        self._seen = 0
        self._clear = asyncio.Event()
        self._clear.set()

    # Faults.

    def slow(self, latency_s: float = 0.0, bytes_per_s: float | None = None) -> None:
        """Let every chunk of either direction come later, and no more than so many bytes a second per connection."""
        self.latency_s, self.bytes_per_s = latency_s, bytes_per_s

    def cut(self) -> None:
        """Drop silently: connections stand, and nothing arrives. What was sent meanwhile arrives after `heal`."""
        self._loop.call_soon_threadsafe(self._clear.clear)

    def reset(self) -> None:
        """RST to both ends of every connection that there is. New ones are served."""
        self._call(self._reset())

    def refuse(self) -> None:
        """RST to every connection that there is and to every new one."""
        self._refuses = True
        self.reset()

    def close_after(self, count: int) -> None:
        """Reset each connection once it has carried so many bytes of answers, counted from now on."""
        for pair in list(self._pairs):
            pair.carried = 0
        self._most_bytes = count

    def lose_answers(self, answer: bytes = COMMIT_ANSWER, every: int = 1, *, once: bool = False) -> None:
        """Let the server do what it was asked, and reset the connection instead of telling the client.

        Parameters:
          answer: bytes in the answers that are lost. every: one of so many is lost. once: and then no other.
        """
        self._once = once
        self._seen, self._every, self._answer = 0, every, answer

    def heal(self) -> None:
        """No faults from now on. What `cut` held back arrives."""
        self.latency_s, self.bytes_per_s, self._most_bytes, self._refuses = 0.0, None, None, False
        self._answer = None
        self._loop.call_soon_threadsafe(self._clear.set)

    @property
    def connections(self) -> int:
        """How many there are now."""
        return len(self._pairs)

    # What the loop does.

    async def _reset(self) -> None:
        for pair in list(self._pairs):
            pair.reset()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            _reset(writer)
            return
        try:
            await self._clear.wait()
            server_reader, server_writer = await self.connect()
        except OSError:
            _reset(writer)
            return
        pair = _Pair(writer, server_writer)
        self._pairs.add(pair)
        self.accepted += 1
        ways = [
            asyncio.ensure_future(self._carry(pair, reader, server_writer, answers=False)),
            asyncio.ensure_future(self._carry(pair, server_reader, writer, answers=True)),
        ]
        try:
            await asyncio.gather(*ways)
        finally:
            for way in ways:
                way.cancel()
            self._pairs.discard(pair)
            self.close_writer(server_writer)

    async def _carry(
        self, pair: _Pair, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, answers: bool
    ) -> None:
        tail = b""
        while chunk := await reader.read(_CHUNK):
            if self.latency_s:
                await asyncio.sleep(self.latency_s)
            if self.bytes_per_s:
                await asyncio.sleep(len(chunk) / self.bytes_per_s)
            await self._clear.wait()
            if answers and (self._loses(tail, chunk) or self._is_enough(pair, len(chunk))):
                pair.reset()
                return
            tail = (tail + chunk)[-64:]
            writer.write(chunk)
            await writer.drain()
        # One who has said all may still want to hear the answer.
        if writer.can_write_eof():
            writer.write_eof()

    def _loses(self, tail: bytes, chunk: bytes) -> bool:
        if self._answer is None:
            return False
        begin = tail[-len(self._answer) + 1 :] if len(self._answer) > 1 else b""
        found = (begin + chunk).count(self._answer)
        before, self._seen = self._seen, self._seen + found
        if before // self._every == self._seen // self._every:
            return False
        self.lost += 1
        if self._once:
            self._answer = None
        return True

    def _is_enough(self, pair: _Pair, count: int) -> bool:
        pair.carried += count
        return self._most_bytes is not None and pair.carried > self._most_bytes


class _Pair:
    """Both ends of one connection."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self._ends = (client, server)
        self.carried = 0

    def reset(self) -> None:
        for end in self._ends:
            _reset(end)


def _reset(writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
