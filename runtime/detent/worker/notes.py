"""What a run writes about itself: log lines, spans, metadata and tags, within bounds, until it is sent."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import msgspec

from ..engine.notebook import change_metadata
from ..errors import InvalidOptions
from ..model import json_text
from ..model.ids import new_id
from ..model.limits import LOG_LINE_CHARS, LOG_LINES_PER_RUN, SPANS_PER_RUN, TAGS
from ..model.protocol import Emit, Grant, LogLine, MetadataOp, SpanLine, StreamParts
from .plain_text import attributes_text, clean
from .reach import Reach

__all__ = ["Notes"]

#: Characters kept of all the lines of a run together.
_LOG_CHARS_PER_RUN = 16 * 1024 * 1024

_current_span: ContextVar[str | None] = ContextVar("detent_span", default=None)


class Notes:
    """The notes of one run. Any of its threads may write.

    Parameters:
      grant: the tags and the metadata that the run has already.
      reach: of a plain run, which no signal may hit while it writes.
      now: the time in milliseconds.
      noted: called when something was written; with True when somebody may be looking on.
    """

    __slots__ = (
        "_all_tags",
        "_chars_written",
        "_dropped",
        "_lines_written",
        "_lock",
        "_logs",
        "_metadata",
        "_metadata_ops",
        "_noted",
        "_now",
        "_reach",
        "_spans",
        "_spans_begun",
        "_spans_written",
        "_streams",
        "_tags",
    )

    def __init__(self, grant: Grant, reach: Reach, now: Callable[[], int], noted: Callable[[bool], None]) -> None:
        self._reach = reach
        self._now = now
        self._noted = noted
        self._lock = threading.Lock()
        self._logs: list[LogLine] = []
        self._spans: list[SpanLine] = []
        self._metadata_ops: list[MetadataOp] = []
        self._tags: list[str] = []
        self._all_tags: list[str] = list(grant.tags)
        self._metadata: dict[str, Any] = msgspec.json.decode(grant.metadata) if grant.metadata else {}
        #: Made with the first part of a stream.
        self._streams: dict[str, _Stream] | None = None
        self._dropped = 0
        self._lines_written = 0
        self._chars_written = 0
        self._spans_written = 0
        self._spans_begun = itertools.count()

    def log(self, level: str, message: str, attributes: dict[str, Any] | None, source: str) -> None:
        text = None if attributes is None else attributes_text(attributes)
        length = len(message)
        if length > LOG_LINE_CHARS:
            message = f"{message[:LOG_LINE_CHARS]}… (cut, {length:,} characters)"
        line = LogLine(self._now(), level, clean(message), text, _current_span.get(), source)
        with self._reach.inside(), self._lock:
            self._lines_written += 1
            self._chars_written += len(message) + len(text or "")
            if self._lines_written > LOG_LINES_PER_RUN or self._chars_written > _LOG_CHARS_PER_RUN:
                self._dropped += 1
                return
            self._logs.append(line)
        self._noted(False)

    @contextmanager
    def span(self, name: str, kind: str, attributes: dict[str, Any]) -> Iterator[None]:
        start = self._now()
        span_id = new_id("span", start, next(self._spans_begun))
        parent_id = _current_span.get()
        token = _current_span.set(span_id)
        ok = False
        try:
            yield
            ok = True
        finally:
            _current_span.reset(token)
            text = attributes_text(attributes) if attributes else None
            with self._reach.inside(), self._lock:
                self._spans_written += 1
                if self._spans_written <= SPANS_PER_RUN:
                    shown = clean(name[:LOG_LINE_CHARS])
                    self._spans.append(SpanLine(span_id, parent_id, shown, kind, start, self._now(), ok, text))
                else:
                    self._dropped += 1
            self._noted(False)

    def change_metadata(self, target: str, op: str, key: str, value: Any) -> None:
        text = None if op == "delete" else json_text.encode(value, f"metadata.{key}" if key else "metadata")
        plain = None if text is None else msgspec.json.decode(text)
        with self._reach.inside(), self._lock:
            if target == "self":
                self._metadata = change_metadata(self._metadata, op, key, plain)
            self._metadata_ops.append(MetadataOp(target, op, key, text))
        self._noted(True)

    def metadata(self) -> dict[str, Any]:
        return self._metadata

    def add_tags(self, tags: list[str]) -> None:
        with self._reach.inside(), self._lock:
            known = dict.fromkeys([*self._all_tags, *tags])
            if len(known) > TAGS:
                raise InvalidOptions(
                    f"a run has at most {TAGS} tags; it has {len(self._all_tags)} already, so {tags!r} do not fit"
                )
            self._tags += list(known)[len(self._all_tags) :]
            self._all_tags = list(known)
        self._noted(True)

    def write_part(self, stream: str, text: str) -> int:
        """Append a part, JSON text, to a stream; how many characters of it have not been taken yet."""
        text = clean(text)
        with self._reach.inside(), self._lock:
            written = self._stream(stream)
            written.parts.append(text)
            written.size += len(text)
            size = written.size
        self._noted(True)
        return size

    def close_stream(self, stream: str) -> None:
        """No other parts follow in a stream."""
        with self._reach.inside(), self._lock:
            self._stream(stream).closing = True
        self._noted(True)

    def settle_streams(self) -> None:
        """What has been written so far will not be written again: a journal entry follows."""
        if self._streams is not None:
            with self._lock:
                for written in self._streams.values():
                    written.settling = written.taken + len(written.parts) > written.settled

    def _stream(self, name: str) -> _Stream:
        if self._streams is None:
            self._streams = {}
        return self._streams.setdefault(name, _Stream())

    def any(self) -> bool:
        """Whether there is something that was not taken yet."""
        if self._logs or self._spans or self._metadata_ops or self._tags or self._dropped:
            return True
        return self._streams is not None and any(written.any() for written in list(self._streams.values()))

    def take(self, run_id: str, epoch: int, attempt: int, started_at: int | None, writer: int = 0) -> Emit:
        """All that was not taken yet, as a request of the run; `started_at` where its start is to be told, too.

        `writer`: the epoch with which this execution of the run began."""
        with self._lock:
            emit = Emit(
                run_id,
                epoch,
                attempt,
                started_at,
                self._logs,
                self._spans,
                self._dropped,
                self._metadata_ops,
                self._tags,
                writer,
                [written.take(name) for name, written in (self._streams or {}).items() if written.any()],
            )
            self._logs, self._spans, self._metadata_ops, self._tags, self._dropped = [], [], [], [], 0
        return emit


class _Stream:
    """What one execution has written into a stream: how many parts were taken, and those that were not yet."""

    __slots__ = ("closing", "parts", "settled", "settling", "size", "taken")

    def __init__(self) -> None:
        self.parts: list[str] = []
        self.size = 0
        self.taken = 0
        self.settled = 0
        self.settling = False
        self.closing = False

    def any(self) -> bool:
        return bool(self.parts) or self.settling or self.closing

    def take(self, name: str) -> StreamParts:
        taken = StreamParts(name, self.taken, self.parts, self.settling, self.closing)
        self.taken += len(self.parts)
        if self.settling:
            self.settled = self.taken
        self.parts, self.size, self.settling, self.closing = [], 0, False, False
        return taken
