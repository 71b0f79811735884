"""Feeds: what can be followed, a run, lists of runs, streams. Each is read from a position on, so that a reader that
comes back misses nothing and is told nothing twice.

Positions are sequence numbers of the store: they mean the same after a restart. What is read from position to position
is the same whether it was followed live or fetched later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple, Protocol

import msgspec

from ..errors import InvalidOptions, NotFound
from ..model.redaction import Redactor
from ..model.status import FINAL
from ..store import Store
from ..store.phrases import phrases
from . import views
from .clock import Clock
from .redacted import redacted
from .run_filters import RunFilter
from .run_lists import COLUMNS

__all__ = [
    "END",
    "Feed",
    "Frame",
    "Position",
    "Shapes",
    "end_frame",
    "is_past_end",
    "joined",
    "mark_of",
    "matches",
    "no_run",
    "seq_of",
]

#: Of a run or of lists: the latest row of the history and the latest note. Of a stream: its latest part, and 0.
Position = tuple[int, int]

#: What the id of the last event of a feed ends with.
END = "-end"
#: Most digits of a number in an event id.
_DIGITS = 18
#: Larger outputs are left out of updates, in characters of JSON.
OUTPUT_CHARS = 128 * 1024

_decode = msgspec.json.decode
_encode = msgspec.json.Encoder().encode


class Frame(NamedTuple):
    """One event of a feed, for readers that are at `before`; afterwards they are at `after`.

    `data` is JSON text. `last`: the feed ends with it. `runs`: of lists, the runs in it, each with its own position.
    """

    before: Position
    after: Position
    id: str
    data: bytes
    event: str = ""
    last: bool = False
    runs: Sequence[tuple[str, Position, bytes]] = ()


class Feed(Protocol):
    """Something to follow. Feeds with the same `key` tell the same."""

    key: tuple[Any, ...]
    shapes: Shapes

    def at(self, event_id: str | None) -> Position | None:
        """The position of an event id, None at the beginning. Errors: `InvalidOptions`."""
        ...

    def read(self, position: Position | None) -> tuple[list[Frame], bool]:
        """What came after `position`, and whether there may be more at once. Errors: `NotFound`."""
        ...


def mark_of(event_id: str | None) -> Position | None:
    """The position of an event id such as ``120-7``. Errors: `InvalidOptions`."""
    if not event_id:
        return None
    event, _, note = event_id.removesuffix(END).partition("-")
    return _number(event, event_id), _number(note, event_id)


def seq_of(event_id: str | None) -> Position | None:
    """The position of an event id of a stream, a number. Errors: `InvalidOptions`."""
    if not event_id:
        return None
    return _number(event_id.removesuffix(END), event_id), 0


def is_past_end(event_id: str | None) -> bool:
    """Whether it is the id of the last event of a feed."""
    return bool(event_id) and str(event_id).endswith(END)


def _number(text: str, event_id: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= _DIGITS:
        return int(text)
    raise InvalidOptions(
        f"the last event id is {event_id[:80]!r}, which is none of this server's; send the id of the latest event that "
        "came, or none to begin anew"
    )


@cache
def _rows(dialect: str) -> str:
    """What is told of runs, and where they stand. ``full``: the runs whose outputs are wanted."""
    say = phrases(dialect)
    return f"""
SELECT {", ".join(f"r.{name.strip()}" for name in COLUMNS.split(","))}, r.metadata, r.paused, r.output_ref,
       CASE WHEN r.id {say.is_any_of("full")} THEN r.output END AS output,
       coalesce((SELECT max(seq) FROM events e WHERE e.run_id = r.id), 0) AS event,
       coalesce((SELECT note FROM run_notes n WHERE n.run_id = r.id), 0) AS note
FROM runs r WHERE r.id {say.is_any_of("ids")}
"""  # noqa: S608  # fixed parts only


class Shapes:
    """Runs and parts of streams as feeds tell of them.

    Parameters:
      redactor: takes out the secrets of the environment that they belong to.
    """

    def __init__(self, store: Store, clock: Clock, redactor: Callable[[], Redactor]) -> None:
        self.store = store
        self.redactor = redactor
        self._clock = clock

    def rows(self, ids: Sequence[str], full: Sequence[str] = ()) -> list[Any]:
        """Runs with their own positions, ``event`` and ``note``, read at one moment; those of `full` with outputs."""
        if not ids:
            return []
        values = {"ids": _encode(list(ids)).decode(), "full": _encode(list(full)).decode()}
        found = self.store.read_sql(_rows(self.store.dialect), values)
        places = {run_id: place for place, run_id in enumerate(ids)}
        return sorted(found, key=lambda row: places[row["id"]])

    def events(self, ids: Sequence[str]) -> dict[str, list[Any]]:
        """The histories of runs."""
        histories: dict[str, list[Any]] = {run_id: [] for run_id in ids}
        for event in self.store.read("watched_events", ids=_encode(list(ids)).decode()) if ids else ():
            histories[event["run_id"]].append(event)
        return histories

    def attempts_allowed(self, rows: Sequence[Any]) -> dict[tuple[str, str], int]:
        """The attempts that tasks allow, by environment and task, for the rows that do not say it themselves."""
        allowed: dict[tuple[str, str], int] = {}
        wanted: dict[str, set[str]] = {}
        for row in rows:
            if row["max_attempts"] is None:
                wanted.setdefault(row["env"], set()).add(row["task"])
        for env, tasks in wanted.items():
            found = self.store.read("view_attempts_allowed", env=env, ids=_encode(sorted(tasks)).decode())
            allowed |= {(env, row["id"]): row["n"] for row in found}
        return allowed

    def summary(self, row: Any, allowed: dict[tuple[str, str], int]) -> dict[str, Any]:
        """A run as lists tell of it."""
        shown = views.run_summary(row, allowed.get((row["env"], row["task"])), self._clock.now())
        return shown | {"metadata": _decode(row["metadata"]) if row["metadata"] else {}}

    def update(
        self, row: Any, events: Sequence[Any], since: Position | None, allowed: dict[tuple[str, str], int]
    ) -> dict[str, Any]:
        """All that is told of one run; `since`: where its reader is, None for one that has just come."""
        history = [event for event in events if event["seq"] <= row["event"]]
        fresh = [] if since is None else [event for event in history if event["seq"] > since[0]]
        output = row["output"] if row["state"] in FINAL else None
        is_large = row["output_ref"] is not None or (output is not None and len(output) > OUTPUT_CHARS)
        return self.summary(row, allowed) | {
            "error": views.error_view(row["error"]),
            "attempts": views.attempts_of(row, history),
            "paused": views.paused_of(row),
            "output": None if output is None or is_large else _decode(output),
            "output_is_large": is_large,
            "events": [views.event_view(event) for event in fresh],
        }

    def run_frames(
        self, row: Any, events: Sequence[Any], since: Position | None, allowed: dict[tuple[str, str], int]
    ) -> list[Frame]:
        """What a reader of one run, who is at `since`, is told: its state, if that is new to it, and the end."""
        now = (row["event"], row["note"])
        frames: list[Frame] = []
        if since is None or now > since:
            data = _encode(redacted("runs.retrieve", self.update(row, events, since, allowed), self.redactor))
            frames.append(Frame(since or (0, 0), now, f"{now[0]}-{now[1]}", data))
        if row["state"] in FINAL:
            frames.append(end_frame(now, {"id": row["id"], "status": row["state"]}))
        return frames

    def list_frame(self, rows: Sequence[Any], before: Position, after: Position, *, more: dict[str, Any]) -> Frame:
        """An event of a list: its runs, in order, beside the values `more`."""
        allowed = self.attempts_allowed(rows)
        shown = redacted("runs.list", {"items": [self.summary(row, allowed) for row in rows]}, self.redactor)["items"]
        runs = [(row["id"], (row["event"], row["note"]), _encode(run)) for row, run in zip(rows, shown, strict=True)]
        return joined(Frame(before, after, f"{after[0]}-{after[1]}", _encode(more), runs=runs))


def end_frame(position: Position, about: dict[str, Any]) -> Frame:
    """The last event of a feed of runs, for a reader at `position`."""
    return Frame(position, position, f"{position[0]}-{position[1]}{END}", _encode(about), "end", last=True)


def joined(frame: Frame) -> Frame:
    """`frame` with its `runs` written into its data."""
    head = frame.data.partition(b',"runs":[')[0].removesuffix(b"}")
    runs = b",".join(run for _, _, run in frame.runs)
    return frame._replace(data=head + (b"," if len(head) > 1 else b"") + b'"runs":[' + runs + b"]}")


def matches(row: Any, wanted: RunFilter) -> bool:
    """Whether a run, as it is now, is one of a list."""
    if wanted.batch is not None and row["batch_id"] != wanted.batch:
        return False
    if wanted.task and row["task"] not in wanted.task:
        return False
    if wanted.since is not None and row["created_at"] < wanted.since:
        return False
    if wanted.status and views.status_of(row) not in wanted.status:
        return False
    return not wanted.tag or not set(wanted.tag).isdisjoint(_decode(row["tags"]))


def no_run(run_id: str) -> NotFound:
    """The error for an id that no run of the environment has."""
    return NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
