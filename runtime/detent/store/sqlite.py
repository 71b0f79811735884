"""The embedded store: one SQLite file in WAL mode, one connection that writes, others that only read."""

from __future__ import annotations

import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, TypeVar

from ..errors import StoreError
from .group_commit import Committed, GroupCommit
from .statements import migrations, single_statements, statements
from .store import Tx

__all__ = ["SqliteStore"]

T = TypeVar("T")

#: How long to wait for another process that writes, in seconds.
_PATIENCE = 10.0

#: Page size of a new file, in bytes; one that is there keeps its own. A small commit touches about ten pages
#: and costs what it copies of them: half the usual size makes a trigger a fifth cheaper. Payloads of up to
#: 6 KB gain from it; one of 60 KB costs a third more.
_PAGE = 2048

_PRAGMAS = (
    "PRAGMA temp_store = MEMORY",
    "PRAGMA cache_size = -16000",
    f"PRAGMA wal_autocheckpoint = {16 * 1024 * 1024 // _PAGE}",
)


class SqliteStore:
    """A store in one file.

    Parameters:
      path: the database file; made with its folder when it is not there.
      sync: ``OFF``, ``NORMAL`` (survives any process death, not a power cut) or ``FULL`` (survives both).
      guard: entered around every transaction; the project lock, where this process does not hold it for good.
    """

    dialect = "sqlite"
    is_shared = False
    doubts = 0
    clock = None

    def __init__(
        self,
        path: Path,
        sync: str = "NORMAL",
        guard: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self.path = path
        self.sync = sync
        path.parent.mkdir(parents=True, exist_ok=True)
        with guard():
            self._session = _Session(path, sync, guard)
        self._group = GroupCommit(self._session)
        self._readers: deque[sqlite3.Connection] = deque()

    def write(self, operation: Callable[[Tx], T], *, yields: bool = False) -> T:
        """See `Store.write`."""
        result: Any = self._group.submit([operation], yields=yields)[0]
        if isinstance(result, BaseException):
            raise result
        return result  # type: ignore[no-any-return]  # what the operation returned

    def write_all(self, operations: Sequence[Callable[[Tx], Any]]) -> list[Any]:
        """See `Store.write_all`."""
        return self._group.submit(operations) if operations else []

    def read(self, statement: str, **values: Any) -> list[Any]:
        """See `Store.read`."""
        return self.read_sql(statements("sqlite")[statement], values)

    def read_sql(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """See `Store.read_sql`."""
        reader = self._reader()
        try:
            return reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise self._session.translate(error) from error
        finally:
            self._readers.append(reader)

    def close(self) -> None:
        """See `Store.close`."""
        self._group.close()
        while self._readers:
            self._readers.pop().close()
        self._session.close()

    def _reader(self) -> sqlite3.Connection:
        try:
            return self._readers.pop()
        except IndexError:
            pass
        try:
            return _connect(f"{self.path.absolute().as_uri()}?mode=ro")
        except sqlite3.Error as error:
            raise self._session.translate(error) from error


def _connect(address: str) -> sqlite3.Connection:
    connection = sqlite3.connect(
        address,
        uri=True,
        timeout=_PATIENCE,
        isolation_level=None,
        check_same_thread=False,
        cached_statements=256,
    )
    connection.row_factory = sqlite3.Row
    return connection


class _Session:
    """The connection that writes, and at the same time its open transaction."""

    #: A statement costs no way to a server and back here.
    joins = False

    def __init__(self, path: Path, sync: str, guard: Callable[[], AbstractContextManager[object]]) -> None:
        self._path = path
        self._guard = guard
        self._held: AbstractContextManager[object] | None = None
        self._sql = statements("sqlite")
        self._actions: list[Callable[[], None]] = []
        self.notes: dict[str, Any] = {}
        try:
            self._db = _connect(path.absolute().as_uri())
            try:
                self._db.execute(f"PRAGMA page_size = {_PAGE}")
                self._use_wal()
                for pragma in (*_PRAGMAS, f"PRAGMA synchronous = {sync}"):
                    self._db.execute(pragma)
                self._migrate()
            except BaseException:
                self._db.close()
                raise
        except sqlite3.Error as error:
            raise self.translate(error) from error

    # The transaction.

    def all(self, statement: str, **values: Any) -> list[Any]:
        return self._db.execute(self._sql[statement], values).fetchall()

    def one(self, statement: str, **values: Any) -> Any | None:
        rows = self._db.execute(self._sql[statement], values).fetchall()
        return rows[0] if rows else None

    def run(self, statement: str, **values: Any) -> int:
        return self._db.execute(self._sql[statement], values).rowcount

    def many(self, statement: str, rows: Iterable[Mapping[str, Any]]) -> int:
        return self._db.executemany(self._sql[statement], rows).rowcount

    def later(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self.many(statement, rows)

    def each(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> list[Any | None]:
        return [self.one(statement, **row) for row in rows]

    def after_commit(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

    # The session.

    def begin(self) -> Tx:
        self._actions = []
        self.notes = {}
        held = self._guard()
        held.__enter__()
        self._held = held
        self._db.execute("BEGIN IMMEDIATE")
        return self

    def commit(self, busy: bool = False) -> Committed:  # noqa: ARG002  # nobody else sees it before it is durable
        for last_word in list(self.notes.values()):
            if callable(last_word):
                last_word(self)
        self._db.execute("COMMIT")
        self._let_go()
        return Committed(self._actions)

    def rollback(self) -> None:
        try:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
        finally:
            self._let_go()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.__exit__(None, None, None)

    def may_repeat(self, error: Exception) -> bool:  # noqa: ARG002  # what SQLite refused is not stored
        return False

    def translate(self, error: Exception) -> Exception:
        if not isinstance(error, sqlite3.Error):
            return error
        text = str(error)
        place = self._path
        kept = "Nothing that was acknowledged is lost"
        if "disk is full" in text or "disk I/O error" in text:
            advice = f"the disk of {place} is full or failing ({text}); free space on it and try again. {kept}"
        elif "malformed" in text or "not a database" in text:
            advice = f"{place} is damaged ({text}); restore it from a copy, or move it away to begin anew"
        elif "readonly" in text or "unable to open" in text:
            advice = f"{place} cannot be written ({text}); check the rights of the file and its folder. {kept}"
        elif "locked" in text:
            advice = (
                f"another process writes {place} and did not let go ({text}); "
                f"find it with `detent doctor` or stop it. {kept}"
            )
        else:
            advice = f"the store {place} refused: {text}. {kept}"
        failure = StoreError(advice)
        failure.__cause__ = error
        return failure

    def close(self) -> None:
        self._db.close()

    def _use_wal(self) -> None:
        # SQLite does not wait for others here, so of those who open a new file at once all but one fail.
        until = time.monotonic() + _PATIENCE
        while True:
            try:
                self._db.execute("PRAGMA journal_mode = WAL")
                return
            except sqlite3.OperationalError as error:
                if "locked" not in str(error) or time.monotonic() > until:
                    raise
            time.sleep(0.005)

    def _migrate(self) -> None:
        """Bring the file to the present schema; refuse one that is newer than this version of detent."""
        scripts = migrations("sqlite")
        if self._version() < len(scripts):
            self._db.execute("BEGIN IMMEDIATE")
            # Another process may have been here between the look and the lock.
            for number in range(self._version(), len(scripts)):
                for statement in single_statements(scripts[number]):
                    self._db.execute(statement)
                self._db.execute(f"PRAGMA user_version = {number + 1}")
            self._db.execute("COMMIT")
        if self._version() > len(scripts):
            raise StoreError(
                f"{self._path} has schema {self._version()}, this detent knows {len(scripts)}; "
                "upgrade detent, or use the version that wrote it"
            )

    def _version(self) -> int:
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        return int(version)
