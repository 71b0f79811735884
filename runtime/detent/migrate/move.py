"""Everything from one store to another: in batches, to be taken up again after a kill, compared at the end."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ..config import Config
from ..doctor.finding import said
from ..errors import ConfigError, StoreError
from .places import FilePlace, Place, place_of
from .progress import OnProgress, Progress
from .sqlite_end import SqliteSource, SqliteTarget
from .tables import Mark, Row, Sum, Table, Target, in_order

if TYPE_CHECKING:
    from .postgres_end import PostgresSource, PostgresTarget

__all__ = ["Moved", "move"]

#: A batch is as many rows, or as many characters of text, whichever is reached first.
BATCH_ROWS = 2_000
_BATCH_CHARS = 4_000_000
#: What stands for the character NUL, which PostgreSQL's texts cannot hold.
_NUL = "\u2400"


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: rows by table.

    `resumed`: an unfinished move went on. `given_back`: runs that executed when their workers were stopped, and
    are queued again. `secrets`: values that are sealed with the key of the source. `changed_texts`: texts whose NUL
    characters became U+2400.
    """

    source: str
    target: str
    rows: Mapping[str, int]
    seconds: float
    resumed: bool
    given_back: int
    secrets: int
    changed_texts: int


def move(
    source_url: str,
    target_url: str,
    config: Config,
    *,
    restart: bool = False,
    on_progress: OnProgress = lambda _: None,
    batch_rows: int = BATCH_ROWS,
) -> Moved:
    """Move everything from one database to another, which must be empty or hold an unfinished move from the same place.

    The source is kept as it is, but that what executed is handed back, and the schema brought to the present version.

    Parameters:
      source_url, target_url: ``sqlite:///FILE`` (relative to the project) or ``postgresql://...``.
      restart: throw away what an unfinished move has left in the target.
      on_progress: called after each batch. `batch_rows`: most rows in one.

    Errors: `ConfigError` for a URL, `ProjectLocked` while somebody uses one of them, `Conflict` where the target holds
    something else, `NotFound` for a source that is not there, `StoreError`.
    """
    try:
        return _moved(source_url, target_url, config, restart=restart, on_progress=on_progress, batch_rows=batch_rows)
    except _failures() as error:
        text = said(error, config)
        raise StoreError(f"the move broke off: {text}; see `detent doctor`, then run the same command again") from error


def _failures() -> tuple[type[Exception], ...]:
    """What the drivers of both databases raise."""
    try:
        import psycopg
    except ModuleNotFoundError:
        return (sqlite3.Error,)
    return sqlite3.Error, psycopg.Error


def _moved(
    source_url: str, target_url: str, config: Config, *, restart: bool, on_progress: OnProgress, batch_rows: int
) -> Moved:
    begun = time.monotonic()
    source_place, target_place = place_of(source_url, config), place_of(target_url, config)
    if source_place == target_place:
        raise ConfigError(f"--from and --to both name {source_place.name}; name two databases")
    with closing(_source(source_place)) as source, closing(_target(target_place)) as target:
        resumed = target.begin(source_place.name, restart=restart)
        moving = _Moving(source, target, on_progress, batch_rows)
        moving.copy()
        if moving.compare():
            # The source was used between the two parts of a move: what was read before is out of date.
            target.clear(source_place.name)
            moving = _Moving(source, target, on_progress, batch_rows)
            moving.copy()
            different = moving.compare()
            if different:
                raise StoreError(
                    f"the tables {', '.join(different)} differ after the move; nothing of the source was changed. Run "
                    "it again with --restart"
                )
        if not source.still_holds():
            raise StoreError(f"the connection to {source_place.name} was lost on the way; run the same command again")
        secrets = moving.rows.get("variables", 0)
        target.finish(source_place.name, moving.highest())
        return Moved(
            source_place.name,
            target_place.name,
            moving.rows,
            round(time.monotonic() - begun, 2),
            resumed,
            source.given_back,
            secrets,
            moving.changed_texts,
        )


def _source(place: Place) -> SqliteSource | PostgresSource:
    if isinstance(place, FilePlace):
        return SqliteSource(place)
    from .postgres_end import PostgresSource

    return PostgresSource(place)


def _target(place: Place) -> SqliteTarget | PostgresTarget:
    if isinstance(place, FilePlace):
        return SqliteTarget(place)
    from .postgres_end import PostgresTarget

    return PostgresTarget(place)


class _Moving:
    """One pass over all tables."""

    def __init__(
        self, source: SqliteSource | PostgresSource, target: Target, on_progress: OnProgress, batch_rows: int
    ) -> None:
        self._source = source
        self._target = target
        self._tell = on_progress
        self._batch_rows = batch_rows
        self._tables = in_order(source.tables(), target.tables())
        self._counts = {table.name: source.count(table) for table in self._tables}
        self._all_rows = sum(self._counts.values())
        self._all_done = 0
        self.rows: dict[str, int] = {}
        self.changed_texts = 0

    def copy(self) -> None:
        """Write into the target what is not there yet."""
        self._all_done = 0
        for table in self._tables:
            mark = self._target.mark(table)
            self._all_done += mark.rows
            self.rows[table.name] = mark.rows
            if mark.done:
                continue
            for rows in self._batches(table, mark.after):
                mark = Mark(table.key_of(rows[-1]), mark.rows + len(rows))
                self._target.put(table, rows, mark)
                self.rows[table.name] = mark.rows
                self._all_done += len(rows)
                self._progress("copying", table, mark.rows)
            self._target.put(table, [], mark._replace(done=True))

    def compare(self) -> list[str]:
        """The tables that are not the same in both, row by row."""
        self._all_done = self.changed_texts = 0
        different = []
        for table in self._tables:
            ours, theirs = Sum(), Sum()
            for row in self._read(table, None):
                ours.add(row)
                if ours.rows % self._batch_rows == 0:
                    self._all_done += self._batch_rows
                    self._progress("comparing", table, ours.rows)
            for row in self._target.rows(table):
                if not table.stays(row):
                    theirs.add(row)
            self._all_done += ours.rows % self._batch_rows
            self._progress("comparing", table, ours.rows)
            if ours != theirs:
                different.append(table.name)
        return different

    def highest(self) -> dict[str, int]:
        """The highest number that was ever given in each table that has numbers."""
        found = ((table.name, self._source.highest(table)) for table in self._tables)
        return {name: most for name, most in found if most is not None}

    def _read(self, table: Table, after: list[Any] | None) -> Iterator[Row]:
        for row in self._source.rows(table, after):
            if table.stays(row):
                continue
            yield self._fitting(row) if self._target.refuses_nul else row

    def _fitting(self, row: Row) -> Row:
        changed = sum(isinstance(value, str) and "\0" in value for value in row)
        if not changed:
            return row
        self.changed_texts += changed
        return tuple(value.replace("\0", _NUL) if isinstance(value, str) else value for value in row)

    def _batches(self, table: Table, after: list[Any] | None) -> Iterator[list[Row]]:
        rows: list[Row] = []
        size = 0
        for row in self._read(table, after):
            rows.append(row)
            size += sum(len(value) for value in row if isinstance(value, str))
            if len(rows) >= self._batch_rows or size >= _BATCH_CHARS:
                yield rows
                rows, size = [], 0
        if rows:
            yield rows

    def _progress(self, doing: Literal["copying", "comparing"], table: Table, done: int) -> None:
        self._tell(Progress(doing, table.name, done, self._counts[table.name], self._all_done, self._all_rows))
