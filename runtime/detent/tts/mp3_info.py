"""The Info frame of an MP3 file: how many frames and bytes follow, where to seek, what to trim at both ends.

Players read it in the first frame (which decodes to nothing for those that do not know it). Its layout is
the one of Xing, with LAME's extension for the encoder's delay and padding, which makes gapless players
exact.
"""

from __future__ import annotations

from dataclasses import dataclass

from detent.tts.mp3_frames import Frame, Header, read_header

__all__ = ["Info", "SeekTable", "make_info", "read_info", "room_for_info"]

DECODER_DELAY = 529
"""Samples by which every Layer III decoder is late, whatever the encoder."""
_XING_BYTES = 120
_LAME_BYTES = 36
_MOST_TRIM = 0xFFF


@dataclass(frozen=True, slots=True)
class Info:
    """What an Info frame says of its stream.

    Parameters:
      frames: frames of audio after this one; None when not stated.
      delay: samples of silence the encoder put before the audio; None when not stated.
      padding: samples of silence the encoder put after the audio; None when not stated.
    """

    frames: int | None = None
    delay: int | None = None
    padding: int | None = None


class SeekTable:
    """Where frames lie in the file, thinned out as it grows: at most 800 places are held."""

    def __init__(self) -> None:
        self._places: list[int] = []
        self._every = 1
        self._frames = 0

    def add(self, place: int) -> None:
        """Note that the next frame begins at byte `place`."""
        if self._frames % self._every == 0:
            self._places.append(place)
            if len(self._places) == 800:
                del self._places[1::2]
                self._every *= 2
        self._frames += 1

    def toc(self, size: int) -> bytes:
        """100 bytes: for each hundredth of the time, the 256th of the file's `size` bytes where it lies."""
        if not self._places:
            return bytes(100)
        return bytes(
            min(255, self._places[percent * self._frames // 100 // self._every] * 256 // size) for percent in range(100)
        )


def room_for_info(like: Header) -> Header:
    """The header of an Info frame for a stream of frames like this: the smallest bitrate that has the
    room."""
    for index in range(1, 15):
        # Without CRC and padding.
        header = read_header(like.word & 0xFFFF0DFF & ~0xF000 | 0x10000 | index << 12)
        if header is not None and header.size >= header.main_at + _XING_BYTES + _LAME_BYTES:
            return header
    raise AssertionError(f"no bitrate has room for an Info frame at {like.sample_rate} Hz")


def make_info(
    like: Header, *, frames: int, size: int, toc: bytes, delay: int, padding: int, variable: bool = False
) -> bytes:
    """The bytes of an Info frame.

    Parameters:
      like: header of the stream's frames.
      frames: frames of audio that follow.
      size: bytes of the stream, this frame included.
      toc: 100 bytes from `SeekTable.toc`.
      delay: samples of silence before the audio, as the encoder put them (without the decoder's own 529).
      padding: samples of silence after the audio.
      variable: True when the frames differ in bitrate; the frame is then named Xing.
    """
    header = room_for_info(like)
    trims = min(delay, _MOST_TRIM) << 12 | min(padding, _MOST_TRIM)
    mode = 3 if header.channels == 1 else 0
    frame = bytearray(header.word.to_bytes(4, "big"))
    frame += bytes(header.side_size)
    frame += b"Xing" if variable else b"Info"
    frame += (0xF).to_bytes(4, "big") + frames.to_bytes(4, "big") + size.to_bytes(4, "big") + toc
    frame += (0).to_bytes(4, "big")
    # FFmpeg and others read delay and padding only after a version that begins with LAME, Lavf or Lavc.
    frame += b"LAME3.100" + bytes([4 if variable else 1, 0]) + bytes(8) + bytes([0, 0])
    frame += trims.to_bytes(3, "big") + bytes([mode, 0]) + bytes(2) + size.to_bytes(4, "big") + bytes(2)
    frame += _crc16(bytes(frame)).to_bytes(2, "big")
    return bytes(frame) + bytes(header.size - len(frame))


def read_info(frame: Frame) -> Info | None:
    """What the frame says of its stream; None for a frame of audio."""
    tag = frame.info
    if tag is None:
        return None
    if tag[:4] == b"VBRI":
        return Info(frames=int.from_bytes(tag[14:18], "big") or None)
    flags = int.from_bytes(tag[4:8], "big")
    at = 8
    frames = None
    if flags & 1:
        frames = int.from_bytes(tag[at : at + 4], "big") or None
        at += 4
    at += 4 * (flags >> 1 & 1) + 100 * (flags >> 2 & 1) + 4 * (flags >> 3 & 1)
    if tag[at : at + 4] not in (b"LAME", b"Lavf", b"Lavc", b"L3.9") or len(tag) < at + 24:
        return Info(frames=frames)
    trims = int.from_bytes(tag[at + 21 : at + 24], "big")
    return Info(frames=frames, delay=trims >> 12, padding=trims & _MOST_TRIM)


def _crc16(data: bytes) -> int:
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return crc
