"""Parts in the object store into one file in the object store, checked before it appears."""

from __future__ import annotations

import asyncio
import contextvars
import tempfile
import threading
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from detent import objects
from detent.errors import DetentError, NotFound
from detent.tts.mp3_frames import read_frames
from detent.tts.mp3_info import read_info
from detent.tts.mp3_merge import Merged, merge

__all__ = ["BadMerge", "PartMissing", "assemble"]

_PIECE = 1024 * 1024
_LONGEST_GAP_S = 0.06


class PartMissing(DetentError):
    """A part is not in the object store."""

    code = "part_missing"


class BadMerge(DetentError):
    """The merged file is not what the parts add up to. The text says what differs."""

    code = "bad_merge"


class _Stopped(Exception):
    """Nobody waits for the file any more."""


async def assemble(parts: Sequence[str], key: str) -> Merged:
    """Merge the objects `parts`, in order, into the object `key`, off the event loop.

    At any time one piece of one part is in memory; the file grows on the local disk. When this is
    cancelled, it returns only after its thread has stopped, and no object is written.

    Raises `PartMissing`, `BadMerge`, and what `detent.tts.mp3_merge.merge` raises.
    """
    stop = threading.Event()
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    work = loop.run_in_executor(None, context.run, _assemble, parts, key, stop)
    try:
        return await asyncio.shield(work)
    except asyncio.CancelledError:
        stop.set()
        await asyncio.wait([work])
        work.exception()
        raise


def _assemble(parts: Sequence[str], key: str, stop: threading.Event) -> Merged:
    with tempfile.TemporaryFile(prefix="detent-tts-") as whole:
        merged = merge((_pieces_of(part, stop) for part in parts), whole)
        _check(whole, merged)
        whole.seek(0)
        objects.store().put_stream(key, _until_stopped(iter(lambda: whole.read(_PIECE), b""), stop))
    return merged


def _pieces_of(part: str, stop: threading.Event) -> Iterator[bytes]:
    try:
        yield from _until_stopped(objects.store().get_stream(part, _PIECE), stop)
    except NotFound as error:
        raise PartMissing(f"the part {part} is not there any more") from error


def _until_stopped(pieces: Iterator[bytes], stop: threading.Event) -> Iterator[bytes]:
    for piece in pieces:
        if stop.is_set():
            raise _Stopped
        yield piece


def _check(whole: BinaryIO, merged: Merged) -> None:
    """Read the file again as a player would."""
    whole.seek(0)
    frames = size = 0
    stated: int | None = None
    for frame in read_frames(iter(lambda: whole.read(_PIECE), b"")):
        size += len(frame.data)
        info = read_info(frame)
        if info is None:
            frames += 1
        else:
            stated = info.frames
    found = (size, frames, stated)
    expected = (merged.size_bytes, merged.frames, merged.frames)
    if found != expected:
        raise BadMerge(
            f"the merged file has (bytes, frames, frames stated) {found}, expected {expected}; "
            "this is a fault of detent: please report it with the parts"
        )
    total = sum(part.duration_s for part in merged.parts)
    # At each seam a rest of silence may stay, and the last frames of a part may go.
    seam = max(_LONGEST_GAP_S, 2 * 1152 / merged.sample_rate)
    if abs(merged.duration_s - total) > seam * len(merged.parts):
        raise BadMerge(
            f"the merged file lasts {merged.duration_s:.2f} s, its parts last {total:.2f} s; "
            "this is a fault of detent: please report it with the parts"
        )
