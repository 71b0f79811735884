"""A proxy that holds back each answer until it is whole, as some on the way to a server do."""

from __future__ import annotations

import asyncio
import re

from tests.servers.relay import Relay

__all__ = ["Buffering"]

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Buffering(Relay):
    """``with Buffering(port) as proxy``: what connects to `proxy.port` reaches `port`."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await self.connect()
        up = asyncio.ensure_future(_carry(reader, server_writer))
        try:
            while True:
                head = await server_reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                if b" 204 " in head.partition(b"\r\n")[0]:
                    body = b""
                elif found is not None:
                    body = await server_reader.readexactly(int(found[1]))
                else:
                    body = await _chunks(server_reader)
                writer.write(head + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            up.cancel()
            self.close_writer(server_writer)
            self.close_writer(writer)


async def _carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(65_536):
        writer.write(chunk)
        await writer.drain()
    writer.close()


async def _chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while True:
        line = await reader.readuntil(b"\r\n")
        size = int(line, 16)
        body += line + await reader.readexactly(size + 2)
        if not size:
            return body
