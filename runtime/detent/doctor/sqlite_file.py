"""The embedded store: its file, its schema, its state."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..config import Config
from ..store.statements import migrations
from .finding import Finding, failed, good, warning

__all__ = ["check_sqlite"]

#: A log of changes of this size means that somebody has been reading for very long, in bytes.
_LONG_LOG = 1024**3
#: Files up to this size are read through for damage, in bytes; larger ones take too long.
_READ_THROUGH = 256 * 1024**2


def check_sqlite(config: Config) -> Iterator[Finding]:
    """Nothing where the store is a server."""
    path = config.database_path
    if path is None:
        return
    if not path.exists():
        yield good("database.file", f"{path} is not there yet; it is made when it is needed")
        return
    size = path.stat().st_size
    if not os.access(path, os.R_OK | os.W_OK):
        yield failed("database.file", f"{path} cannot be read and written", f"chown {os.getuid()} {path}")
        return
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=3.0)) as db:
            [version] = db.execute("PRAGMA user_version").fetchone()
            damage = db.execute("PRAGMA quick_check(1)").fetchone()[0] if size <= _READ_THROUGH else "ok"
            yield from _states(db)
    except sqlite3.Error as error:
        yield failed("database.file", f"{path} cannot be read ({error})", "restore it from a copy")
        return
    if damage != "ok":
        yield failed("database.file", f"{path} is damaged ({damage})", "restore it from a copy")
    else:
        yield good("database.file", f"SQLite {sqlite3.sqlite_version}, {path}, {size / 1024**2:,.1f} MiB", bytes=size)
    yield _schema(int(version), path)
    yield _log(path)


def _schema(version: int, path: Path) -> Finding:
    known = len(migrations("sqlite"))
    if version > known:
        told = f"{path} has schema {version}, this detent knows {known}"
        return failed("database.schema", told, "upgrade detent, or use the version that wrote it", version=version)
    if version < known:
        told = f"{path} has schema {version}, this detent needs {known}"
        return warning("database.schema", told, "detent migrate", version=version)
    return good("database.schema", f"schema {version}, the present one", version=version)


def _log(path: Path) -> Finding:
    log = path.with_name(f"{path.name}-wal")
    size = log.stat().st_size if log.exists() else 0
    if size > _LONG_LOG:
        told = f"{log} has grown to {size / 1024**2:,.0f} MiB"
        return warning("database.log", told, "end what reads the store for long, then restart the server", bytes=size)
    return good("database.log", f"{size / 1024**2:,.1f} MiB of changes are not in the file yet", bytes=size)


def _states(db: sqlite3.Connection) -> Iterator[Finding]:
    try:
        rows = db.execute("SELECT state, count(*) FROM runs WHERE finished_at IS NULL GROUP BY state").fetchall()
    except sqlite3.OperationalError:
        return
    told = ", ".join(f"{count:,} {state}" for state, count in rows) or "none"
    yield good("database.runs", f"runs that have not ended: {told}", **dict(rows))
