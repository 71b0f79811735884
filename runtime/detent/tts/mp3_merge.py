"""Many MP3 parts into one file, frame by frame, without decoding them.

What happens at a seam. Every encoder starts 576 samples (and the decoder 529) before the audio and fills
its last frame up, so parts that are simply appended have up to 100 ms of silence between them. Frames
past the end of a part's audio are therefore left out. A frame cannot be cut, and the first frame of a
part must stay (the second half of its transform belongs to the first sample), so a rest of silence
remains: under 60 ms from 16 kHz on. Where whole frames of silence are not enough for that, one more frame
goes: the last (at most 36) ms of a part then fade out.

Bit reservoir. A frame may keep its data in the bytes of earlier frames, and never in later ones: leaving
out last frames harms nothing. The first frame of an encoding reaches back for nothing, so no frame needs
the part before. A part cut out of a longer stream may begin with frames that do; those are made silent
and their bytes kept.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from detent.errors import DetentError
from detent.tts.mp3_frames import Frame, Header, NotMp3, read_frames, read_header
from detent.tts.mp3_info import DECODER_DELAY, Info, SeekTable, make_info, read_info, room_for_info

__all__ = ["Merged", "Part", "PartsDiffer", "merge"]

_ENCODER_DELAY = 576
_LONGEST_GAP_S = 0.06
# Half of the decoder's filter bank: audio that ends this much into a frame's output is complete without it.
_FILTER_REACH = 240
# Samples in which a codec fades into and out of silence, which sound like silence too.
_RAMP = 64
_HELD_BACK = 3


class PartsDiffer(DetentError, ValueError):
    """Parts cannot stand in one file. The text names the part, what it has and what the first has."""

    code = "parts_differ"


@dataclass(frozen=True, slots=True)
class Part:
    """Where the audio of one part starts in the played file and how long it is, both in seconds."""

    start_s: float
    duration_s: float


@dataclass(frozen=True, slots=True)
class Merged:
    """What was written.

    Parameters:
      size_bytes: size of the whole file.
      duration_s: what a player shows, in seconds.
      frames: frames of audio, without the Info frame.
      sample_rate: in Hz.
      channels: 1 or 2.
      parts: start and duration of each part, in order.
    """

    size_bytes: int
    duration_s: float
    frames: int
    sample_rate: int
    channels: int
    parts: list[Part]


@dataclass(slots=True)
class _Writer:
    """The file as it grows."""

    out: BinaryIO
    first: Header | None = None
    base: int = 0
    size: int = 0
    frames: int = 0
    bitrates: set[int] = field(default_factory=set)
    seek: SeekTable = field(default_factory=SeekTable)

    def start(self, first: Header) -> None:
        self.first = first
        self.base = self.out.tell()
        self.size = room_for_info(first).size
        self.out.write(bytes(self.size))

    def add(self, frame: Frame) -> None:
        self.seek.add(self.size)
        self.out.write(frame.data)
        self.size += len(frame.data)
        self.frames += 1
        self.bitrates.add(frame.header.bitrate)


def merge(parts: Iterable[Iterable[bytes] | bytes], out: BinaryIO) -> Merged:
    """Write the parts, in order, as one MP3 file with one Info frame.

    Parameters:
      parts: each the bytes of an MP3 file, whole or in pieces of any size; read once, in order, never
        held whole.
      out: a seekable binary file; writing starts where it stands, and it is left at the end of what was
        written.

    Returns a `Merged`. The duration is the sum of the parts' and of a rest of under 60 ms for each seam
    (for rates from 16 kHz on).

    Raises `NotMp3` when a part has no frame of audio (or there is no part), `PartsDiffer` when parts
    differ in sample rate, channel count or MPEG version. What was written until then is no use and should
    be deleted.
    """
    writer = _Writer(out)
    endings: list[_Ending] = []
    for number, part in enumerate(parts, 1):
        pieces = [bytes(part)] if isinstance(part, bytes | bytearray | memoryview) else part
        try:
            endings.append(_copy(read_frames(pieces), number, writer, endings[-1] if endings else None))
        except NotMp3 as reason:
            raise NotMp3(f"part {number}: {reason}") from None
    if not endings or writer.first is None:
        raise NotMp3("there is no part to merge: at least one is needed")
    endings[-1].write(writer, leave_out=0)
    return _finish(writer, endings)


@dataclass(slots=True)
class _Ending:
    """A part that is written except for its last frames, which wait for what follows.

    Parameters:
      begins: frames in the file before this part.
      delay: samples of silence before its audio.
      padding: samples of silence after its audio; None when the part does not say.
      found: its frames.
      held: its last frames, not yet written.
    """

    begins: int
    delay: int
    padding: int | None
    found: int
    held: deque[Frame]

    def write(self, writer: _Writer, *, leave_out: int) -> None:
        keep = max(len(self.held) - leave_out, 1)
        for _ in range(keep):
            writer.add(self.held.popleft())
        self.held.clear()

    def superfluous(self, next_delay: int) -> int:
        """How many last frames to leave out before a part whose encoder put `next_delay` samples first."""
        header = self.held[-1].header
        size, longest = header.samples, _LONGEST_GAP_S * header.sample_rate
        needed = DECODER_DELAY - _FILTER_REACH
        if self.padding is None:
            # LAME, which nearly all encoders of speech are, pads with at least 576 samples and with less
            # than a frame more; whether the last frame holds any sound tells the rest.
            count = 1 if self.held[-1].silent else 0
            rest = _ENCODER_DELAY - 1 if count else DECODER_DELAY + size - 1
        else:
            count = max(0, self.padding - needed) // size
            rest = self.padding - count * size
            longest -= _RAMP
        if rest >= needed and next_delay + rest > longest:
            count += 1
        return count


def _copy(frames: Iterator[Frame], number: int, writer: _Writer, before: _Ending | None) -> _Ending:
    """Write one part but for its last frames, after the rest of the part before it."""
    info = Info()
    ending: _Ending | None = None
    reservoir = 0
    for frame in frames:
        said = read_info(frame)
        if said is not None:
            info = said if ending is None else info
            continue
        _check_same(frame.header, number, writer)
        if ending is None:
            delay = _ENCODER_DELAY if info.delay is None else info.delay
            if before is not None:
                before.write(writer, leave_out=before.superfluous(delay))
            ending = _Ending(writer.frames, delay, info.padding, 0, deque())
        ending.found += 1
        ending.held.append(_muted(frame) if frame.reach_back > reservoir else frame)
        reservoir += frame.header.size - frame.header.main_at
        if len(ending.held) > _HELD_BACK:
            writer.add(ending.held.popleft())
    if ending is None:
        raise NotMp3("it holds no frame of MPEG Layer III audio; is it an MP3 file, and complete?")
    if info.frames is not None and ending.found < info.frames - 1:
        ending.padding = 0  # Cut short: the silence at its end is missing too.
    return ending


def _check_same(header: Header, number: int, writer: _Writer) -> None:
    if writer.first is None:
        writer.start(header)
        return
    for what, has, first in (
        ("sample rate", f"{header.sample_rate} Hz", f"{writer.first.sample_rate} Hz"),
        ("number of channels", str(header.channels), str(writer.first.channels)),
        ("MPEG version", header.version, writer.first.version),
    ):
        if has != first:
            raise PartsDiffer(
                f"part {number} differs in {what}: it has {has}, the first part has {first}; "
                "make all parts with the same voice, model and format"
            )


def _muted(frame: Frame) -> Frame:
    """The frame with no sound of its own and its bytes kept for the frames that reach back to them."""
    header = frame.header
    # Without a CRC, for the old one would no longer fit.
    word = header.word | 0x10000
    data = word.to_bytes(4, "big") + bytes(header.main_at - 4) + frame.data[header.main_at :]
    muted = read_header(word)
    assert muted is not None
    quiet = Frame(muted, data)
    said = quiet.info
    if said is not None:
        # Chance has it that its bytes begin as those of a Xing frame do, which players pass over.
        at = len(data) - len(said)
        quiet = Frame(muted, data[:at] + bytes(4) + data[at + 4 :])
    return quiet


def _finish(writer: _Writer, endings: list[_Ending]) -> Merged:
    assert writer.first is not None
    first, rate, samples = writer.first, writer.first.sample_rate, writer.first.samples
    delay = endings[0].delay
    paddings = [DECODER_DELAY if ending.padding is None else ending.padding for ending in endings]
    info = make_info(
        first,
        frames=writer.frames,
        size=writer.size,
        toc=writer.seek.toc(writer.size),
        delay=delay,
        padding=paddings[-1],
        variable=len(writer.bitrates) > 1,
    )
    writer.out.seek(writer.base)
    writer.out.write(info)
    writer.out.seek(writer.base + writer.size)
    return Merged(
        size_bytes=writer.size,
        duration_s=max(0, writer.frames * samples - delay - paddings[-1]) / rate,
        frames=writer.frames,
        sample_rate=rate,
        channels=first.channels,
        parts=[
            Part(
                start_s=(ending.begins * samples + ending.delay - delay) / rate,
                duration_s=max(0, ending.found * samples - ending.delay - padding) / rate,
            )
            for ending, padding in zip(endings, paddings, strict=True)
        ],
    )
