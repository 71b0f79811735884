"""What is told of runs and streams, as clients give it: typed, from the events of feeds."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, TypeVar

from ..model.duration import When
from ..model.ids import new_id
from ..model.stream_views import InputSent, RunChange, RunUpdate, StreamInfo, StreamPart
from ..model.transport import FeedEvent, Transport
from . import calls
from .calls import Call

__all__ = ["AsyncStreamsResource", "StreamsResource", "run_changes", "run_update", "send_input", "tag_values"]

T = TypeVar("T")


def run_update(event: FeedEvent) -> RunUpdate | None:
    """The run in an event of its feed; None in the last."""
    return None if event.event == "end" else RunUpdate.model_validate(event.data)


def run_changes(event: FeedEvent) -> list[RunChange]:
    """The runs in an event of a list."""
    return [] if event.event == "end" else [RunChange.model_validate(run) for run in event.data["runs"]]


def tag_values(
    tags: str | Iterable[str] | None,
    task: str | Iterable[str] | None,
    status: str | Iterable[str] | None,
    created_at: When | None,
) -> dict[str, Any]:
    """The filters of a list that is followed, as plain values."""
    filters = calls.run_filters(
        status=status,
        task=task,
        tag=tags,
        queue=None,
        batch=None,
        parent=None,
        since=created_at,
        until=None,
        search=None,
        limit=25,
    )
    names = {"tag": "tags", "task": "task", "status": "status", "since": "created_at"}
    return {names[name]: value for name, value in filters.items() if name in names}


def send_input(run_id: str, stream: str, value: Any) -> Call[InputSent]:
    """The call is given an id, so that it can be made again when its answer was lost."""
    from ..model import json_text

    plain = json_text.decode(json_text.encode(value, "value"))
    values = {"run": run_id, "stream": stream, "value": plain, "by": new_id("call")}
    return Call("streams.send_input", values, InputSent.model_validate)


def _streams_of(run_id: str) -> Call[list[StreamInfo]]:
    return Call(
        "streams.list",
        {"run": run_id},
        lambda answer: [StreamInfo.model_validate(item) for item in answer["items"]],
    )


def _part(event: FeedEvent) -> StreamPart | None:
    if event.event == "end":
        return None
    if event.event == "restart":
        return StreamPart(seq=int(event.id), restarted=event.data["from"], attempt=event.data["attempt"])
    return StreamPart(seq=int(event.id), value=event.data)


class StreamsResource:
    """Streams that runs write."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self, run_id: str, stream: str, *, after: str | int | None = None) -> Iterator[Any]:
        """The parts of a stream as they are written, until it is closed or its run has ended.

        Parameters:
          after: the `seq` of the latest part that is known; None begins at the first.

        A later attempt, or a run that goes on after a crash, may write parts again: see `parts`.
        Errors: `NotFound`, `ServerUnreachable`.
        """
        for part in self.parts(run_id, stream, after=after):
            if part.restarted is None:
                yield part.value

    def parts(self, run_id: str, stream: str, *, after: str | int | None = None) -> Iterator[StreamPart]:
        """Like `read`, with the place of each part, and the word that parts are written again."""
        values = {"run": run_id, "stream": stream}
        known = None if after is None else str(after)
        for event in self._transport.follow("realtime.stream", values, known):
            part = _part(event)
            if part is not None:
                yield part

    def list(self, run_id: str) -> list[StreamInfo]:
        """The streams that a run has written so far. Errors: `NotFound`."""
        return _streams_of(run_id).ask(self._transport)


class AsyncStreamsResource:
    """Streams that runs write."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def read(self, run_id: str, stream: str, *, after: str | int | None = None) -> AsyncIterator[Any]:
        """The parts of a stream as they are written, until it is closed or its run has ended.

        Parameters:
          after: the `seq` of the latest part that is known; None begins at the first.

        A later attempt, or a run that goes on after a crash, may write parts again: see `parts`.
        Errors: `NotFound`, `ServerUnreachable`.
        """
        async for part in self.parts(run_id, stream, after=after):
            if part.restarted is None:
                yield part.value

    async def parts(self, run_id: str, stream: str, *, after: str | int | None = None) -> AsyncIterator[StreamPart]:
        """Like `read`, with the place of each part, and the word that parts are written again."""
        values = {"run": run_id, "stream": stream}
        known = None if after is None else str(after)
        async for event in self._transport.follow_async("realtime.stream", values, known):
            part = _part(event)
            if part is not None:
                yield part

    async def list(self, run_id: str) -> list[StreamInfo]:
        """The streams that a run has written so far. Errors: `NotFound`."""
        return await _streams_of(run_id).ask_async(self._transport)
