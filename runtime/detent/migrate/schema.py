"""The schema of the project's database: which version is there, and bringing it to the present one."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import dataclass

from ..config import Config, ensure_state_dir
from ..embedded import running_server
from ..errors import ProjectLocked, StoreError
from ..server.lock import ProjectLock
from ..store import open_database
from ..store.statements import migrations
from .places import shown

__all__ = ["Schema", "bring_up_to_date", "look_at"]


@dataclass(frozen=True, slots=True)
class Schema:
    """A database, the version of the schema in it (0 for none), and the one that this detent needs."""

    database: str
    version: int
    needed: int

    @property
    def is_present(self) -> bool:
        """Whether there is nothing to do."""
        return self.version == self.needed


def look_at(config: Config) -> Schema:
    """The schema of the project's database, without changing anything.

    Errors: `StoreError` for one that is newer than this detent, and for a database that does not answer.
    """
    path = config.database_path
    if path is not None:
        found = Schema(str(path), _of_file(config), len(migrations("sqlite")))
    else:
        found = Schema(shown(config.database_url), _of_server(config), len(migrations("postgresql")))
    if found.version > found.needed:
        raise StoreError(
            f"{found.database} has schema {found.version}, this detent knows {found.needed}; upgrade detent, or use "
            "the version that wrote it"
        )
    return found


def bring_up_to_date(config: Config) -> tuple[Schema, Schema]:
    """Make the schema or bring it to the present version, all of it or nothing; what it was, and what it is.

    Of several that come at once one does it, the others wait for it.

    Errors: `StoreError`; `ProjectLocked` while an older detent holds the file.
    """
    before = look_at(config)
    if before.is_present:
        return before, before
    if config.database_path is not None:
        config.database_path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _held(config):
            open_database(config.database_url, config.database_path, "FULL").close()
    else:
        open_database(config.database_url, None).close()
    return before, look_at(config)


def _of_file(config: Config) -> int:
    path = config.database_path
    if path is None or not path.exists():
        return 0
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=5.0)) as db:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
    except sqlite3.Error as error:
        raise StoreError(f"{path} cannot be read ({error}); see `detent doctor`") from error


def _of_server(config: Config) -> int:
    from ..store.migrating import schema_version
    from .postgres_end import connected

    with closing(connected(config.database_url)) as db:
        return schema_version(db)


def _held(config: Config) -> ProjectLock:
    lock = ProjectLock(ensure_state_dir(config))
    if not lock.try_acquire():
        server = running_server(config.state_dir)
        whom = f"process {server.pid}" if server is not None else "a process"
        raise ProjectLocked(f"{whom} holds {config.database_path}; stop it, then run `detent migrate` again")
    return lock
