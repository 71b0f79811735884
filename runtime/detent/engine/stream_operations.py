"""What clients can ask of streams: what has come, what is there, and to send a value to a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from ..errors import InvalidOptions, LimitExceeded
from ..model.limits import INPUT_BYTES, NAME_CHARS
from ..model.redaction import Redactor
from .engine import Engine
from .feeds import Feed, Shapes, is_past_end, no_run
from .inputs import send_input
from .queries import Moment, StatusName, moment, several
from .run_feeds import BatchFeed, ListFeed, RunFeed
from .run_filters import read_filter
from .stream_feeds import StreamFeed

__all__ = ["FEEDS", "StreamOperations"]

StreamName = Annotated[str, Meta(min_length=1, max_length=NAME_CHARS)]

#: Operations whose answers are streams of server-sent events.
FEEDS = ("realtime.run", "realtime.runs", "realtime.batch", "realtime.stream")

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


class StreamOperations:
    """The operations on the feeds and streams of one engine.

    Parameters:
      redactor: takes secrets out of what is told.
    """

    def __init__(self, engine: Engine, redactor: Callable[[], Redactor]) -> None:
        self._engine = engine
        self.shapes = Shapes(engine.store, engine.clock, redactor)

    @property
    def by_name(self) -> dict[str, Callable[..., Any]]:
        """The operations by the names that transports use."""
        return {
            "realtime.run": self.run,
            "realtime.runs": self.runs,
            "realtime.batch": self.batch,
            "realtime.stream": self.stream,
            "streams.list": self.list,
            "streams.send_input": self.send,
        }

    @property
    def listeners(self) -> list[Callable[[], None]]:
        """What is called after each commit."""
        return self._engine.listeners

    def feed(self, operation: str, **values: Any) -> Feed:
        """The feed that an operation of `FEEDS` tells of. Errors: `InvalidOptions`."""
        env = self._engine.env
        match operation:
            case "realtime.run":
                return RunFeed(self.shapes, env, values["id"])
            case "realtime.batch":
                return BatchFeed(self.shapes, env, values["id"])
            case "realtime.stream":
                return StreamFeed(self.shapes, env, values["run"], _name(values["stream"]))
        tags = [one for given in several(values.get("tags") or ()) for one in given.split(",") if one]
        wanted = read_filter(
            self._engine.clock.now(), tag=tags, task=values.get("task") or (), status=values.get("status") or ()
        )
        return ListFeed(self.shapes, env, replace(wanted, since=moment("created_at", values.get("created_at"))))

    def run(self, *, id: str, last_event_id: str | None = None) -> dict[str, Any]:
        """Follow a run until it has ended: its state, and each change of it.

        `last_event_id`: the id of the latest event that came, for one who comes back; the header ``Last-Event-ID``
        counts before it. The first event is the present state. An event ``end`` is the last.
        """
        return self._events(self.feed("realtime.run", id=id), last_event_id)

    def runs(
        self,
        *,
        tags: Sequence[str] = (),
        task: Sequence[str] = (),
        status: Sequence[StatusName] = (),
        created_at: Moment | None = None,
        last_event_id: str | None = None,
    ) -> dict[str, Any]:
        """Follow the runs that fit: the latest 100 at first, then each that changes.

        `tags`: several, also with commas between them, of which a run has one. `created_at`: only runs that were
        created then or later.
        """
        feed = self.feed("realtime.runs", tags=tags, task=task, status=status, created_at=created_at)
        return self._events(feed, last_event_id)

    def batch(self, *, id: str, last_event_id: str | None = None) -> dict[str, Any]:
        """Follow the runs of a batch until all have ended."""
        return self._events(self.feed("realtime.batch", id=id), last_event_id)

    def stream(self, *, run: str, stream: StreamName, last_event_id: str | None = None) -> dict[str, Any]:
        """Follow what a run writes into a stream, until it closes the stream or has ended.

        An event ``restart`` says that the parts from the number ``from`` on are written again, by a later attempt or
        after a crash.
        """
        return self._events(self.feed("realtime.stream", run=run, stream=stream), last_event_id)

    def list(self, *, run: str) -> dict[str, Any]:
        """The streams that a run has written so far."""
        self._check(run)
        rows = self._engine.store.read("list_streams", run_id=run)
        return {
            "items": [
                {
                    "name": row["name"],
                    "parts": row["held"],
                    "bytes": row["bytes"],
                    "attempt": row["attempt"],
                    "closed": bool(row["closed"]),
                }
                for row in rows
            ]
        }

    def send(self, *, run: str, stream: StreamName, value: Any = None, by: str | None = None) -> dict[str, Any]:
        """Send a JSON value to a run, which is kept until the run asks for it and given to it once.

        `by`: an id of this call; made again, it sends nothing.

        Errors: `NotFound`; `Conflict` for a run that has ended; `LimitExceeded`.
        """
        if by is not None and not (isinstance(by, str) and 1 <= len(by) <= NAME_CHARS):
            raise InvalidOptions(f"by must be a text of 1 to {NAME_CHARS} characters, got {by!r}")
        text = _encode(value).decode()
        if (size := len(text.encode())) > INPUT_BYTES:
            raise LimitExceeded(
                f"the value is {size:,} bytes of JSON; the limit is {INPUT_BYTES:,} (128 KiB). "
                "Put the data into a file or an object store and send its address"
            )
        name = _name(stream)
        row = self._engine.write(lambda scene: send_input(scene, run, name, text, by))
        return {"run": run, "stream": name, "seq": row["seq"]}

    def _check(self, run_id: str) -> None:
        rows = self._engine.store.read("view_state", id=run_id)
        if not rows or rows[0]["env"] != self._engine.env:
            raise no_run(run_id)

    @staticmethod
    def _events(feed: Feed, event_id: str | None) -> dict[str, Any]:
        """The events that there are now, for those who ask instead of listening."""
        if is_past_end(event_id):
            return {"events": [], "ended": True, "more": False}
        frames, more = feed.read(feed.at(event_id))
        return {
            "events": [
                {"id": frame.id, "event": frame.event or "message", "data": _decode(frame.data) if frame.data else None}
                for frame in frames
            ],
            "ended": bool(frames) and frames[-1].last,
            "more": more,
        }


def _name(stream: Any) -> str:
    if not isinstance(stream, str) or not 1 <= len(stream) <= NAME_CHARS:
        raise InvalidOptions(f"the name of a stream is a text of 1 to {NAME_CHARS} characters, got {stream!r}")
    return stream
