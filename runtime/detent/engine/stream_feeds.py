"""Feeds of the streams that runs write."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.redaction import Redactor
from ..model.status import FINAL
from .feeds import END, Frame, Position, Shapes, no_run, seq_of

__all__ = ["StreamFeed", "end_of_stream", "frames_of_chunk"]

#: Chunks of a stream that are read together.
PAGE = 200

_encode = msgspec.json.Encoder().encode
_parts = msgspec.json.Decoder(list[msgspec.Raw]).decode


class StreamFeed:
    """The parts of one stream, until it is closed or its run has ended."""

    def __init__(self, shapes: Shapes, env: str, run_id: str, stream: str) -> None:
        self.key = ("stream", run_id, stream)
        self.shapes = shapes
        self._store = shapes.store
        self._env = env
        self._run_id = run_id
        self._stream = stream

    def at(self, event_id: str | None) -> Position | None:
        return seq_of(event_id)

    def read(self, position: Position | None) -> tuple[list[Frame], bool]:
        # The run first: what it wrote is there before its end is.
        rows = self._store.read("view_state", id=self._run_id)
        if not rows or rows[0]["env"] != self._env:
            raise no_run(self._run_id)
        after = position[0] if position is not None else 0
        chunks = self._store.read("stream_chunks_from", run_id=self._run_id, stream=self._stream, after=after, n=PAGE)
        hide = self.shapes.redactor()
        frames = [frame for chunk in chunks for frame in frames_of_chunk(chunk, hide) if frame.after[0] > after]
        if len(chunks) == PAGE:
            return frames, True
        at = frames[-1].after if frames else (after, 0)
        closed = chunks[-1]["kind"] == "close" if chunks else self._is_closed(after)
        if closed or rows[0]["state"] in FINAL:
            frames.append(end_of_stream(at, rows[0]["state"], closed=closed))
        return frames, False

    def _is_closed(self, after: int) -> bool:
        found = self._store.read("find_stream", run_id=self._run_id, name=self._stream)
        return bool(found) and bool(found[0]["closed"]) and found[0]["next_seq"] == after + 1


def frames_of_chunk(chunk: Any, redactor: Redactor) -> list[Frame]:
    """The events of one chunk: its parts, or that what stands is written again. A close is told by the end.

    Secrets are taken out by their value and form, not by the names they stand under: "token" is a fine one in a stream.
    """
    seq: int = chunk["seq"]
    if chunk["kind"] == "restart":
        data = _encode({"attempt": chunk["attempt"], "from": int(chunk["parts"])})
        return [Frame((seq - 1, 0), (seq, 0), str(seq), data, "restart")]
    if chunk["kind"] == "close":
        return [Frame((seq - 1, 0), (seq, 0), str(seq), b"", "close")]
    return [
        Frame((number - 1, 0), (number, 0), str(number), bytes(part))
        for number, part in enumerate(_parts(redactor.text(chunk["parts"])), seq)
    ]


def end_of_stream(position: Position, state: str, *, closed: bool) -> Frame:
    """The last event of a stream, for a reader at `position`."""
    data = _encode({"status": state if state in FINAL else None, "closed": closed})
    return Frame(position, position, f"{position[0]}{END}", data, "end", last=True)
