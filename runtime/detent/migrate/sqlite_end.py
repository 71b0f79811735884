"""A store in a file as one end of a move. A new one is built beside its place, and put there when all is in it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from ..config import STATE_DIR
from ..embedded import running_server
from ..errors import Conflict, NotFound, ProjectLocked
from ..server.lock import ProjectLock
from ..store import SqliteStore
from ..telemetry.file import TelemetryFile
from .giving_back import give_back
from .places import FilePlace
from .sqlite_files import SqliteFiles, address, names
from .tables import FILLED_BY_TRIGGERS, MOVED_FROM, Mark, Row, Table

__all__ = ["SqliteSource", "SqliteTarget"]

_MOVING = "CREATE TABLE IF NOT EXISTS {}.moving (name TEXT PRIMARY KEY, after TEXT, rows INTEGER, done INTEGER)"


def _hold(place: FilePlace) -> ProjectLock:
    """The lock of a project. Errors: `ProjectLocked`."""
    lock = ProjectLock(place.state_dir)
    if not lock.try_acquire():
        server = running_server(place.state_dir)
        whom = f"process {server.pid} ({server.url})" if server is not None else "a process"
        raise ProjectLocked(f"{whom} uses {place.name}; stop servers and workers first, then move")
    return lock


class SqliteSource(SqliteFiles):
    """A store in a file, held so that nobody writes it meanwhile. What executed when its workers were stopped is handed
    back first.

    Errors: `NotFound`, `ProjectLocked`, `StoreError`.
    """

    def __init__(self, place: FilePlace) -> None:
        if not place.path.is_file():
            raise NotFound(f"there is no store at {place.path}; name the one to move: --from sqlite:///FILE")
        self._lock = _hold(place)
        try:
            store = SqliteStore(place.path, "FULL")
            try:
                self.given_back = give_back(store)
            finally:
                store.close()
            TelemetryFile(place.telemetry).close()
            super().__init__(place.path, place.telemetry)
            # Also for those who know of no lock: readers are welcome, writers wait.
            self.db.execute("BEGIN IMMEDIATE")
        except BaseException:
            self._lock.release()
            raise

    def still_holds(self) -> bool:
        """See `Source.still_holds`."""
        return True

    def close(self) -> None:
        """See `Source.close`."""
        super().close()
        self._lock.release()


class SqliteTarget:
    """A store in a file that is filled.

    Errors: `Conflict` where something is there already, `ProjectLocked`.
    """

    refuses_nul = False

    def __init__(self, place: FilePlace) -> None:
        self._place = place
        mode = 0o700 if place.state_dir.name == STATE_DIR else 0o755
        place.path.parent.mkdir(mode=mode, parents=True, exist_ok=True)
        place.state_dir.mkdir(mode=mode, parents=True, exist_ok=True)
        self._new = _beside(place.path), _beside(place.telemetry)
        self._files: SqliteFiles | None = None
        self._lock = _hold(place)

    @property
    def _open(self) -> SqliteFiles:
        assert self._files is not None, "begin comes first"
        return self._files

    def tables(self) -> Mapping[str, Table]:
        """See `Target.tables`."""
        return self._open.tables()

    def begin(self, source: str, *, restart: bool) -> bool:
        """See `Target.begin`."""
        if restart:
            self._remove()
        goes_on = self._new[0].exists()
        if not goes_on:
            self._refuse_what_is_there()
        self._files = self._made()
        from_where = self._files.db.execute("SELECT after FROM main.moving WHERE name = ''").fetchone()
        if from_where is None:
            self._files.db.execute("INSERT INTO main.moving (name, after) VALUES ('', ?)", (source,))
            return False
        if from_where[0] != source:
            raise Conflict(
                f"{self._new[0]} was begun from {from_where[0]}, not from {source}; go on from there, or begin anew "
                "with --restart"
            )
        return goes_on

    def mark(self, table: Table) -> Mark:
        """See `Target.mark`."""
        sql = f"SELECT after, rows, done FROM {_database(table)}.moving WHERE name = ?"  # noqa: S608  # ours
        row = self._open.db.execute(sql, (table.name,)).fetchone()
        return Mark() if row is None else Mark(json.loads(row[0]), row[1], bool(row[2]))

    def put(self, table: Table, rows: list[Row], mark: Mark) -> None:
        """See `Target.put`."""
        db = self._open.db
        db.execute("BEGIN IMMEDIATE")
        try:
            written_over = "OR REPLACE " if table.name in FILLED_BY_TRIGGERS else ""
            db.executemany(
                f"INSERT {written_over}INTO {address(table)} ({names(table.columns)}) "  # noqa: S608  # ours
                f"VALUES ({', '.join('?' * len(table.columns))})",
                rows,
            )
            db.execute(
                f"INSERT OR REPLACE INTO {_database(table)}.moving (name, after, rows, done) "  # noqa: S608  # ours
                "VALUES (?, ?, ?, ?)",
                (table.name, json.dumps(mark.after), mark.rows, mark.done),
            )
            db.execute("COMMIT")
        except BaseException:
            db.execute("ROLLBACK")
            raise

    def rows(self, table: Table, after: list[Any] | None = None) -> Iterator[Row]:
        """See `Target.rows`."""
        return self._open.rows(table, after)

    def clear(self, source: str) -> None:
        """See `Target.clear`."""
        self._open.close()
        self._remove()
        self.begin(source, restart=False)

    def finish(self, source: str, highest: Mapping[str, int]) -> None:
        """See `Target.finish`."""
        files = self._open
        db = files.db
        db.execute("BEGIN IMMEDIATE")
        for name, most in highest.items():
            db.execute("UPDATE main.sqlite_sequence SET seq = max(seq, ?) WHERE name = ?", (most, name))
        sql = "INSERT OR REPLACE INTO main.settings (name, value) VALUES (?, ?)"
        db.execute(sql, (MOVED_FROM, source))
        db.execute("COMMIT")
        for database in ("main", "telemetry"):
            db.execute(f"PRAGMA {database}.wal_checkpoint(TRUNCATE)")
            db.execute(f"PRAGMA {database}.journal_mode = DELETE")
        files.close()
        for new, place in zip(self._new[::-1], (self._place.telemetry, self._place.path), strict=True):
            for rest in ("-wal", "-shm"):
                place.with_name(place.name + rest).unlink(missing_ok=True)
            new.replace(place)
        # Until here a kill leaves what the same command goes on with.
        for place in (self._place.path, self._place.telemetry):
            with closing(sqlite3.connect(place)) as moved:
                moved.execute("DROP TABLE moving")

    def close(self) -> None:
        """See `Target.close`."""
        if self._files is not None:
            self._files.close()
        self._lock.release()

    def _made(self) -> SqliteFiles:
        path, telemetry = self._new
        SqliteStore(path, "FULL").close()
        TelemetryFile(telemetry).close()
        files = SqliteFiles(path, telemetry)
        files.db.execute("PRAGMA main.synchronous = NORMAL")
        for database in ("main", "telemetry"):
            files.db.execute(_MOVING.format(database))
        return files

    def _remove(self) -> None:
        for path in self._new:
            for rest in ("", "-wal", "-shm", "-journal"):
                path.with_name(path.name + rest).unlink(missing_ok=True)

    def _refuse_what_is_there(self) -> None:
        place = self._place
        if not place.path.exists():
            return
        TelemetryFile(place.telemetry).close()
        SqliteStore(place.path, "FULL").close()
        with closing(SqliteFiles(place.path, place.telemetry)) as there:
            full = [name for name, table in there.tables().items() if there.count(table)]
            if full:
                [origin] = there.db.execute("SELECT max(value) FROM settings WHERE name = ?", (MOVED_FROM,)).fetchone()
                what = f"what was moved from {origin}" if origin else f"other data already ({', '.join(full[:3])})"
                raise Conflict(f"{place.path} holds {what}; move it away, or name another file: --to sqlite:///FILE")


def _beside(path: Path) -> Path:
    return path.with_name(f"{path.name}.moving")


def _database(table: Table) -> str:
    return address(table).partition(".")[0]
