"""Frames on a stream socket: four bytes of length, then JSON."""

from __future__ import annotations

import socket
import struct

__all__ = ["FRAME_BYTES", "FrameReader", "send_frame"]

#: A frame beyond this is not one of ours. Batches of payloads stay far below.
FRAME_BYTES = 256 * 1024 * 1024

_LENGTH = struct.Struct("!I")


def send_frame(connection: socket.socket, body: bytes) -> None:
    """Send one frame whole."""
    connection.sendall(_LENGTH.pack(len(body)) + body)


class FrameReader:
    """Reads whole frames from a blocking socket."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._buffer = bytearray()

    def read(self) -> bytes | None:
        """The next frame; None when the other side has closed. Errors: `ConnectionError`."""
        head = self._take(_LENGTH.size)
        if head is None:
            return None
        (length,) = _LENGTH.unpack(head)
        if length > FRAME_BYTES:
            raise ConnectionError(f"a frame of {length} bytes is not one of detent's")
        return self._take(length)

    def ready(self) -> list[bytes]:
        """The frames that have come with the last one, whole."""
        frames: list[bytes] = []
        while len(self._buffer) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._buffer)
            if length > FRAME_BYTES or len(self._buffer) < _LENGTH.size + length:
                break
            frames.append(bytes(self._buffer[_LENGTH.size : _LENGTH.size + length]))
            del self._buffer[: _LENGTH.size + length]
        return frames

    def _take(self, count: int) -> bytes | None:
        while len(self._buffer) < count:
            chunk = self._connection.recv(max(65_536, min(count - len(self._buffer), 4_194_304)))
            if not chunk:
                return None
            self._buffer += chunk
        taken = bytes(self._buffer[:count])
        del self._buffer[:count]
        return taken
