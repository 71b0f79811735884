"""What has changed since the last look, for all who follow something: read once, however many they are."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from ..model.status import FINAL
from .feeds import Frame, Position, Shapes
from .run_feeds import ListFeed
from .stream_feeds import end_of_stream, frames_of_chunk

__all__ = ["Changes", "Key", "Watched"]

#: Changes, and chunks of streams, that are read together.
PAGE = 500

Key = tuple[Any, ...]


class Watched(NamedTuple):
    """What is followed at the moment.

    `runs`: by their ids, how far their readers have been told (None where the first of them is on its way), and how
    they are shown. `streams`: by run and name, likewise. `lists`: feeds of lists and batches.
    """

    runs: dict[str, tuple[Position | None, Shapes]]
    streams: dict[tuple[str, str], Shapes]
    lists: tuple[ListFeed, ...]


class Changes:
    """Reads on from where it was. One thread at a time."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._at: Position = (0, 0)
        self._chunk = 0
        #: Runs that lists were told of ahead of their changes, each with its position.
        self._ahead: dict[str, Position] = {}

    @property
    def at(self) -> Position:
        """The latest change that has been read."""
        return self._at

    def skip(self) -> None:
        """Go on from now: nobody was there to be told of what was before."""
        [row] = self._shapes.store.read("last_changes")
        self._at, self._chunk = (row["event"], row["note"]), row["chunk"]
        self._ahead = {}

    def read(self, watched: Watched) -> tuple[list[tuple[Key, list[Frame] | None]], bool]:
        """What followers are to be told, by the keys of their feeds, and whether there is more to be read at once.

        None in the place of events: they are to read for themselves.
        """
        before = self._at
        changed = self._shapes.store.read("changed_runs", event=before[0], note=before[1], n=PAGE)
        events = [row["event"] for row in changed if row["event"]]
        notes = [row["note"] for row in changed if row["note"]]
        self._at = (max(events, default=before[0]), max(notes, default=before[1]))
        ids = dict.fromkeys(row["run_id"] for row in changed)
        of_streams = {run_id for run_id, _ in watched.streams}
        wanted = list(ids) if watched.lists else [one for one in ids if one in watched.runs or one in of_streams]
        rows = self._shapes.rows(wanted, [run_id for run_id in wanted if run_id in watched.runs])
        told: list[tuple[Key, list[Frame] | None]] = []
        told += self._of_runs(watched, rows)
        told += self._of_lists(watched, rows, before)
        # Last: what a run wrote is there before its end is.
        told += self._of_streams(watched, {row["id"]: row["state"] for row in rows if row["state"] in FINAL})
        return told, PAGE in (len(events), len(notes))

    def _of_runs(self, watched: Watched, rows: Iterable[Any]) -> Iterable[tuple[Key, list[Frame] | None]]:
        followed = [row for row in rows if row["id"] in watched.runs]
        fresh = [row for row in followed if (row["event"], row["note"]) != watched.runs[row["id"]][0]]
        histories = self._shapes.events([row["id"] for row in fresh])
        allowed = self._shapes.attempts_allowed(fresh)
        for row in fresh:
            since, shapes = watched.runs[row["id"]]
            key = ("run", row["id"])
            yield key, None if since is None else shapes.run_frames(row, histories[row["id"]], since, allowed)

    def _of_lists(
        self, watched: Watched, rows: Iterable[Any], before: Position
    ) -> Iterable[tuple[Key, list[Frame] | None]]:
        fresh = [row for row in rows if self._ahead.get(row["id"]) != (row["event"], row["note"])]
        places = {row["id"]: (row["event"], row["note"]) for row in fresh}
        self._ahead = {
            run_id: place
            for run_id, place in (self._ahead | places).items()
            if place[0] > self._at[0] or place[1] > self._at[1]
        }
        for feed in watched.lists:
            fitting = [row for row in fresh if feed.has(row)]
            if fitting:
                yield feed.key, [feed.frame(fitting, before, self._at), *feed.end(self._at)]

    def _of_streams(self, watched: Watched, ended: dict[str, str]) -> Iterable[tuple[Key, list[Frame] | None]]:
        if not watched.streams:
            return
        found: dict[tuple[str, str], list[Frame]] = {}
        chunks: list[Any] = [None] * PAGE
        while len(chunks) == PAGE:
            chunks = self._shapes.store.read("stream_chunks_after", id=self._chunk, n=PAGE)
            if chunks:
                self._chunk = chunks[-1]["id"]
            for chunk in chunks:
                stream = chunk["run_id"], chunk["stream"]
                if stream in watched.streams:
                    hide = watched.streams[stream].redactor()
                    found.setdefault(stream, []).extend(frames_of_chunk(chunk, hide))
        for (run_id, name), frames in found.items():
            if frames[-1].event == "close" and run_id not in ended:
                frames.append(end_of_stream(frames[-1].after, "", closed=True))
            yield ("stream", run_id, name), frames
        for run_id, name in watched.streams:
            if run_id in ended:
                rows = self._shapes.store.read("find_stream", run_id=run_id, name=name)
                at = (rows[0]["next_seq"] - 1, 0) if rows else (0, 0)
                closed = bool(rows) and bool(rows[0]["closed"])
                yield ("stream", run_id, name), [end_of_stream(at, ended[run_id], closed=closed)]
