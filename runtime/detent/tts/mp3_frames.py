"""The frames of an MP3 stream: MPEG 1, 2 and 2.5, Layer III.

Only what a merge needs is read: headers (ISO/IEC 11172-3, 13818-3 and the 2.5 extension), the start of
the side information, and the extents of tags that are not audio (ID3v2, ID3v1, APEv2, and the Xing, Info
and VBRI frames).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from detent.errors import DetentError

__all__ = ["Frame", "Header", "NotMp3", "read_frames", "read_header"]

_RATES = (44100, 48000, 32000)
_BITRATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BITRATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_VERSIONS = {3: ("1", 1), 2: ("2", 2), 0: ("2.5", 4)}
# Bits that stay the same from frame to frame of one encoding: all but bitrate, padding, private and mode
# extension.
_LASTING = 0xFFFF0C0F
_SAME_STREAM = 0xFFFE0C00
_LONGEST_TAG_HEAD = 32
_FAR = 2048
_MARK = re.compile(rb"\xff[\xe0-\xff]|ID3|APETAGEX")


class NotMp3(DetentError, ValueError):
    """The bytes hold no MPEG Layer III audio that can be merged. The text names the part and the reason."""

    code = "not_mp3"


@dataclass(frozen=True, slots=True)
class Header:
    """The first four bytes of a frame, read.

    Parameters:
      word: the four bytes as one number.
      version: "1", "2" or "2.5".
      sample_rate: in Hz.
      bitrate: in kbit/s.
      channels: 1 or 2.
      size: bytes of the whole frame.
      samples: samples per channel, 1152 or 576.
      side_at: where the side information starts, in bytes from the start of the frame.
      side_size: bytes of side information.
    """

    word: int
    version: str
    sample_rate: int
    bitrate: int
    channels: int
    size: int
    samples: int
    side_at: int
    side_size: int

    @property
    def main_at(self) -> int:
        """Where the main data starts, in bytes from the start of the frame."""
        return self.side_at + self.side_size


@dataclass(frozen=True, slots=True)
class Frame:
    """One whole frame: its header and all its bytes, header included."""

    header: Header
    data: bytes

    @property
    def reach_back(self) -> int:
        """Bytes of earlier frames' main data that this frame's audio starts in (``main_data_begin``)."""
        side = self.data[self.header.side_at : self.header.side_at + 2]
        return (side[0] << 1) | (side[1] >> 7) if self.header.version == "1" else side[0]

    @property
    def silent(self) -> bool:
        """True when the frame holds no spectrum: no granule has any big values, nor any bits."""
        first, step, count = _granules(self.header)
        side = int.from_bytes(self.data[self.header.side_at : self.header.main_at], "big")
        bits = self.header.side_size * 8
        for index in range(count):
            at = first + index * step
            if (side >> (bits - at - 12)) & 0xFFF or (side >> (bits - at - 21)) & 0x1FF:
                return False
        return True

    @property
    def info(self) -> bytes | None:
        """What follows the side information of a Xing, Info or VBRI frame; None for a frame of audio."""
        head = self.header
        for at in (head.main_at, 4 + head.side_size, 36):
            if self.data[at : at + 4] in (b"Xing", b"Info", b"VBRI") and not any(self.data[head.side_at : at]):
                return self.data[at:]
        return None


def _granules(header: Header) -> tuple[int, int, int]:
    """Bit offset of the first granule in the side information, bits from one to the next, and how many."""
    if header.version == "1":
        return (18 if header.channels == 1 else 20), 59, 2 * header.channels
    return (9 if header.channels == 1 else 10), 63, header.channels


@lru_cache(maxsize=512)
def read_header(word: int) -> Header | None:
    """The header in a 32-bit number; None when it is not one of a Layer III frame with a stated bitrate."""
    version = _VERSIONS.get(word >> 19 & 3)
    bitrate_at, rate_at = word >> 12 & 15, word >> 10 & 3
    if word >> 21 != 0x7FF or version is None or word >> 17 & 3 != 1:
        return None
    if bitrate_at in (0, 15) or rate_at == 3 or word & 3 == 2:
        return None
    name, divisor = version
    rate = _RATES[rate_at] // divisor
    bitrate = (_BITRATES_1 if name == "1" else _BITRATES_2)[bitrate_at]
    samples = 1152 if name == "1" else 576
    channels = 1 if word >> 6 & 3 == 3 else 2
    side = {("1", 1): 17, ("1", 2): 32}.get((name, channels), 9 if channels == 1 else 17)
    return Header(
        word=word,
        version=name,
        sample_rate=rate,
        bitrate=bitrate,
        channels=channels,
        size=samples // 8 * bitrate * 1000 // rate + (word >> 9 & 1),
        samples=samples,
        side_at=4 if word >> 16 & 1 else 6,
        side_size=side,
    )


def _is_free_format(word: int) -> bool:
    return word >> 21 == 0x7FF and word >> 17 & 3 == 1 and word >> 19 & 3 != 1 and word >> 12 & 15 == 0


class _Window:
    """The bytes ahead of a reader, filled from the source as they are asked for."""

    def __init__(self, source: Iterable[bytes]) -> None:
        self._source = iter(source)
        self._ended = False
        self.held = bytearray()
        self.at = 0

    def have(self, count: int) -> bool:
        """True when `count` bytes are ahead."""
        while len(self.held) - self.at < count and not self._ended:
            piece = next(self._source, None)
            if piece is None:
                self._ended = True
            else:
                del self.held[: self.at]
                self.at = 0
                self.held += piece
        return len(self.held) - self.at >= count

    def peek(self, count: int, ahead: int = 0) -> bytes:
        self.have(ahead + count)
        return bytes(self.held[self.at + ahead : self.at + ahead + count])

    def skip(self, count: int) -> None:
        """Pass over `count` bytes, holding none of them; the end of the source ends it."""
        while count > 0 and self.have(1):
            step = min(count, len(self.held) - self.at)
            self.at += step
            count -= step


def read_frames(source: Iterable[bytes]) -> Iterator[Frame]:
    """The frames of an MP3 stream, the Xing, Info or VBRI frame included.

    Tags and junk between frames are passed over; a last frame that is cut short is left out. At any time
    one frame and one piece of the source are held.

    Parameters:
      source: the bytes, in pieces of any size.

    Raises `NotMp3` for a free-format stream (its frames state no length).
    """
    window = _Window(source)
    first: Header | None = None
    in_step = True
    while window.have(4):
        tag = _tag_size(window, in_step=in_step)
        if tag:
            window.skip(tag)
            continue
        word = int.from_bytes(window.peek(4), "big")
        header = read_header(word)
        if header is None or not _belongs(window, header, first, in_step=in_step):
            if first is None and in_step and _is_free_format(word):
                raise NotMp3("the stream is free-format: its frames state no bitrate, so no length; encode it again")
            in_step = False
            _skip_to_sync(window)
            continue
        if not window.have(header.size):
            # Cut short, or a header that is none: what follows may still be a tag or a frame.
            in_step = False
            window.skip(1)
            continue
        data = window.peek(header.size)
        window.skip(header.size)
        first = first or header
        in_step = True
        yield Frame(header, data)


def _skip_to_sync(window: _Window) -> None:
    """On to the next bytes that may begin a frame or a tag."""
    window.skip(1)
    while True:
        found = _MARK.search(window.held, window.at)
        if found:
            window.at = found.start()
            return
        # The last bytes may begin a mark that goes on in the next piece.
        window.at = max(window.at, len(window.held) - 7)
        if not window.have(len(window.held) - window.at + 1):
            window.at = len(window.held)
            return


def _belongs(window: _Window, header: Header, first: Header | None, *, in_step: bool) -> bool:
    """Whether the header ahead is one of the stream and not junk that looks like one."""
    if first is not None:
        if in_step and (header.word ^ first.word) & _SAME_STREAM == 0:
            return True
        if (header.word ^ first.word) & _LASTING == 0 and header.channels == first.channels:
            return True
    following = window.peek(_LONGEST_TAG_HEAD, header.size)
    if len(following) < 4:
        return not following and window.have(header.size)
    if following[:3] in (b"ID3", b"TAG") or following[:8] == b"APETAGEX":
        return True
    word = int.from_bytes(following[:4], "big")
    if read_header(word) is not None and (word ^ header.word) & _SAME_STREAM == 0:
        return True
    # Junk may stand right after the very first frame; another frame just like it must follow soon.
    return first is None and in_step and _is_followed(window, header)


def _is_followed(window: _Window, header: Header) -> bool:
    ahead = window.peek(_FAR, header.size)
    for found in _MARK.finditer(ahead):
        word = int.from_bytes(ahead[found.start() : found.start() + 4], "big")
        if read_header(word) is not None and (word ^ header.word) & _LASTING == 0:
            return True
    return False


def _tag_size(window: _Window, *, in_step: bool) -> int:
    """Bytes of the tag that begins here, 0 when none does."""
    head = window.peek(_LONGEST_TAG_HEAD)
    if head[:3] == b"ID3" and len(head) >= 10 and head[3] in (2, 3, 4) and max(head[6:10]) < 0x80:
        size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
        return 10 + size + (10 if head[5] & 0x10 else 0)
    if head[:8] == b"APETAGEX" and len(head) >= 32:
        has_items_ahead = head[23] & 0x20
        return 32 + (int.from_bytes(head[12:16], "little") if has_items_ahead else 0)
    if in_step and head[:3] == b"TAG":
        return 227 if head[3:4] == b"+" else 128
    return 0
