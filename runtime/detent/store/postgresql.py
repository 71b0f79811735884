"""The store of many machines: PostgreSQL, by psycopg.

State transactions of all processes take their turns: each begins by taking one advisory lock of the database. So every
verb is as simple as on SQLite, rows get their numbers in the order of the commits, and no two can be in each other's
way. What makes it fast is that many operations share a transaction (`GroupCommit`), that statements take many rows,
and that a busy store lets the lock go before the disk is done: see `SharedFlush`.

Nothing is set for a session, only for a transaction, so a pooler in transaction mode may stand between.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import msgspec
import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.numeric import Int8Dumper
from psycopg.types.string import StrDumper

from ..errors import DetentError, InvalidOptions, StoreError
from .dialect import for_postgresql
from .flush import SharedFlush
from .group_commit import Committed, GroupCommit
from .migrating import migrate
from .rows import Row, row_factory
from .statements import statements
from .store import Tx

__all__ = ["DatabaseClock", "PostgresStore", "connect", "without_password"]

T = TypeVar("T")

logger = logging.getLogger("detent.store")

#: How long to look for a database that does not answer, in seconds, before whoever waits is told.
_PATIENCE_S = 5.0
#: Connections that read at once; whoever comes then waits for one.
_READERS = 8
#: Rows that go to the database together.
_ROWS = 1_000
#: "detent", as a number.
LOCK = int.from_bytes(b"detent", "big")

#: What a transaction begins with: see the migration that makes these functions.
_BEGIN = f"BEGIN; SELECT * FROM detent.enter({LOCK})"  # noqa: S608  # a constant
#: A commit of a transaction that wrote something, so that all before it is durable with it.
_FLUSH = (
    "BEGIN; SET LOCAL synchronous_commit = on; "
    "SELECT detent.life(), pg_logical_emit_message(true, 'detent', ''); COMMIT"
)
_SEEN_FIRST = b"SET LOCAL synchronous_commit = off"
_MARK = b"SELECT pg_logical_emit_message(true, 'detent', '')"

#: SQLSTATEs that a pooler answers a prepared statement of another connection with.
_UNPREPARED = ("26000", "42P05")

_encode = msgspec.json.Encoder().encode


class DatabaseClock:
    """The clock of a database, kept by this machine's between two looks at it."""

    def __init__(self) -> None:
        self._ahead_ms = 0

    def now(self) -> int:
        """Milliseconds since 1970."""
        return time.time_ns() // 1_000_000 + self._ahead_ms

    def set(self, now_ms: int) -> None:
        """The database says that it is `now_ms`."""
        self._ahead_ms = now_ms - time.time_ns() // 1_000_000


class PostgresStore:
    """A store in a PostgreSQL database, in its schema ``detent``.

    Parameters:
      url: ``postgresql://user:password@host:port/database?...``.
      migrate: bring the schema to the present version first; else one that is older is refused.

    Errors: `StoreError`.
    """

    dialect = "postgresql"
    is_shared = True

    def __init__(self, url: str, *, migrate: bool = True) -> None:
        self.url = url
        self.clock = DatabaseClock()
        self._prepares = Prepares()
        self._session = _Session(url, self.clock, self._prepares, migrates=migrate)
        self._group = GroupCommit(self._session)
        self._readers = _Readers(url, self._prepares)

    @property
    def doubts(self) -> int:
        """See `Store.doubts`."""
        return self._session.doubts

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
        return self._readers.all(self._session.sql[statement], values)

    def read_sql(self, sql: str, values: Mapping[str, Any]) -> list[Any]:
        """See `Store.read_sql`."""
        return self._readers.all(for_postgresql(sql).encode(), values)

    def close(self) -> None:
        """See `Store.close`."""
        self._group.close()
        self._readers.close()
        self._session.close()


class Prepares:
    """Whether statements are prepared; not behind a pooler that gives each transaction another connection."""

    def __init__(self) -> None:
        self.allowed = True

    def refused(self, error: Exception) -> bool:
        """Whether `error` says so; from then on nothing is prepared."""
        if not isinstance(error, psycopg.Error) or error.sqlstate not in _UNPREPARED:
            return False
        if self.allowed:
            logger.info("a pooler keeps no prepared statements; going on without them")
        self.allowed = False
        return True


def connect(url: str, prepares: Prepares | None = None, *, patience_s: float = 0.0) -> psycopg.Connection[Row]:
    """A connection on which each statement is a transaction, unless one is begun; its rows are as SQLite's.

    Parameters:
      patience_s: for how long to try again, in seconds, while the server starts or cannot be reached.

    Errors: `psycopg.Error`.
    """
    until = time.monotonic() + patience_s
    pause = 0.02
    given = str(conninfo_to_dict(url).get("options") or "")
    # To compile the longest statement takes 500 ms, to run it 3.
    options = f"-c jit=off {given}"
    while True:
        try:
            connection: psycopg.Connection[Row] = psycopg.connect(
                url,
                autocommit=True,
                row_factory=row_factory,
                connect_timeout=5,
                application_name="detent",
                options=options,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
                tcp_user_timeout=15_000,
            )
            break
        except psycopg.OperationalError as error:
            if options != given and "startup parameter" in str(error):
                # A pooler, whose connections are not only this one's.
                options = given
                continue
            if time.monotonic() > until or _is_refusal(error):
                raise
        time.sleep(pause)
        pause = min(0.25, pause * 2)
    # Whole numbers of every size, and texts, are of one type each: a statement is prepared once.
    connection.adapters.register_dumper(int, Int8Dumper)
    connection.adapters.register_dumper(str, StrDumper)
    connection.adapters.register_dumper(bool, _FlagDumper)
    # A pooler makes up the number of the session that it tells. There a name may be that of the statement of somebody
    # else, which would be run without a word.
    connection.prepare_threshold = None
    [(pid,)] = connection.execute("SELECT pg_backend_pid()").fetchall()
    if pid == connection.info.backend_pid and (prepares is None or prepares.allowed):
        connection.prepare_threshold = 2
    connection.prepared_max = 1_000
    return connection


class _FlagDumper(Int8Dumper):
    """Flags are 0 and 1, as on SQLite."""

    def dump(self, obj: Any) -> bytes:
        return b"1" if obj else b"0"


def _is_refusal(error: psycopg.OperationalError) -> bool:
    """Whether the server does not want this connection, rather than being away."""
    text = str(error)
    return any(words in text for words in ("password authentication failed", "does not exist", "no pg_hba.conf"))


class _Session:
    """The connection that writes, and at the same time its open transaction."""

    #: Operations of one kind are done together.
    joins = True

    def __init__(self, url: str, clock: DatabaseClock, prepares: Prepares, *, migrates: bool) -> None:
        self._url = url
        self._clock = clock
        self._prepares = prepares
        self._actions: list[Callable[[], None]] = []
        self._wrote = False
        #: What is sent together with the commit: rows by statement.
        self._last: dict[str, list[Mapping[str, Any]]] = {}
        self._flusher: psycopg.Connection[Row] | None = None
        self._flush = SharedFlush(self._flush_all)
        #: How many commits nobody knows of whether they are stored.
        self.doubts = 0
        #: The server's life in which the open transaction began, and the one that the last flush found.
        self._life = self._flushed_in = ""
        self.notes: dict[str, Any] = {}
        try:
            self._db = connect(url, prepares, patience_s=_PATIENCE_S)
            try:
                migrate(self._db, url=without_password(url), may_change=migrates)
            except BaseException:
                self._db.close()
                raise
        except psycopg.Error as error:
            raise self.translate(error) from error
        self.sql = {name: for_postgresql(text).encode() for name, text in statements("postgresql").items()}
        self._takes_rows = {name for name, text in self.sql.items() if b"%(rows)s" in text}
        self._reads = {name for name, text in self.sql.items() if text.startswith(b"SELECT")}
        self._cursor = self._db.cursor()

    # The transaction.

    def all(self, statement: str, **values: Any) -> list[Any]:
        if statement in self._takes_rows:
            values = {"rows": _encode([values]).decode()}
        rows = self._cursor.execute(self._text(statement), values).fetchall()
        if rows and statement not in self._reads:
            self._wrote = True
        return rows

    def one(self, statement: str, **values: Any) -> Any | None:
        rows = self.all(statement, **values)
        return rows[0] if rows else None

    def run(self, statement: str, **values: Any) -> int:
        if statement in self._takes_rows:
            values = {"rows": _encode([values]).decode()}
        changed = self._cursor.execute(self._text(statement), values).rowcount
        self._wrote = self._wrote or changed > 0
        return changed

    def many(self, statement: str, rows: Iterable[Mapping[str, Any]]) -> int:
        changed = 0
        left = iter(rows)
        while some := list(islice(left, _ROWS)):
            if statement in self._takes_rows:
                changed += self._cursor.execute(self._text(statement), {"rows": _encode(some).decode()}).rowcount
            else:
                self._cursor.executemany(self._text(statement), some)
                changed += self._cursor.rowcount
        self._wrote = self._wrote or changed > 0
        return changed

    def later(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> None:
        self._last.setdefault(statement, []).extend(rows)

    def each(self, statement: str, rows: Sequence[Mapping[str, Any]]) -> list[Any | None]:
        if statement not in self._takes_rows:
            return [self.one(statement, **row) for row in rows]
        found = {}
        for start in range(0, len(rows), _ROWS):
            some = {"rows": _encode(rows[start : start + _ROWS]).decode()}
            found.update({row["id"]: row for row in self._cursor.execute(self._text(statement), some).fetchall()})
        self._wrote = self._wrote or bool(found)
        return [found.get(row["id"]) for row in rows]

    def after_commit(self, action: Callable[[], None]) -> None:
        self._actions.append(action)

    def _text(self, statement: str) -> bytes:
        return self.sql[statement]

    # The session.

    def begin(self) -> Tx:
        self._actions = []
        self.notes = {}
        self._wrote = False
        self._last = {}
        if self._db.broken or self._db.closed:
            self._reconnect()
        try:
            self._enter()
        except psycopg.OperationalError:
            # The server was away, or threw this connection out: nothing was asked of it yet.
            if not self._db.broken:
                raise
            self._reconnect()
            self._enter()
        return self

    def commit(self, busy: bool = False) -> Committed:
        for last_word in list(self.notes.values()):
            if callable(last_word):
                last_word(self)
        try:
            self._commit(busy)
        except psycopg.Error:
            self.doubts += self._db.broken
            raise
        return Committed(self._actions, partial(self._settle, self._life) if busy else None)

    def _commit(self, busy: bool) -> None:
        ending = [_SEEN_FIRST] if busy else []
        if not self._wrote and not self._last and not busy:
            # What another process committed and this one read may not be durable yet; one that writes makes it so.
            ending = [_MARK]
        ending.append(b"COMMIT")
        with self._db.pipeline() if self._last else contextlib.nullcontext():
            for statement, rows in self._last.items():
                self.many(statement, rows)
            if self._last:
                for text in ending:
                    self._db.execute(text)
            else:
                self._cursor.execute(b"; ".join(ending))

    def rollback(self) -> None:
        if not self._db.closed and not self._db.broken:
            with contextlib.suppress(psycopg.Error):
                self._db.execute("ROLLBACK")

    def may_repeat(self, error: Exception) -> bool:
        """Whether the database was away in the middle: what was asked may be stored or not, and may be asked again."""
        if self._prepares.refused(error):
            self._db.prepare_threshold = None
            return True
        return isinstance(error, psycopg.OperationalError) and (self._db.broken or self._db.closed)

    def translate(self, error: Exception) -> Exception:
        if not isinstance(error, psycopg.Error):
            return error
        failure = _failure(error, without_password(self._url))
        failure.__cause__ = error
        return failure

    def close(self) -> None:
        self._db.close()
        if self._flusher is not None:
            self._flusher.close()

    def _enter(self) -> None:
        self._cursor.execute(_BEGIN)
        while self._cursor.nextset():
            pass
        [(now, self._life)] = self._cursor.fetchall()
        self._clock.set(now)

    def _reconnect(self) -> None:
        self._db.close()
        self._db = connect(self._url, self._prepares, patience_s=_PATIENCE_S)
        self._cursor = self._db.cursor()

    def _settle(self, life: str) -> None:
        """Wait until what was committed in that life of the server is durable. Errors: `StoreError`."""
        try:
            self._flush.wait()
            if self._flushed_in != life:
                raise StoreError(
                    f"{without_password(self._url)} was started again before this was safely on its disk, so that it "
                    "may be stored or not; ask again"
                )
        except BaseException:
            self.doubts += 1
            raise

    def _flush_all(self) -> None:
        try:
            if self._flusher is None or self._flusher.broken or self._flusher.closed:
                self._flusher = connect(self._url, self._prepares)
            found = self._flusher.execute(_FLUSH)
            while found.description is None:
                found.nextset()
            [(self._flushed_in, _)] = found.fetchall()
        except psycopg.Error as error:
            raise self.translate(error) from error


class _Readers:
    """Connections that only read."""

    def __init__(self, url: str, prepares: Prepares) -> None:
        self._url = url
        self._prepares = prepares
        self._free: list[psycopg.Connection[Row]] = []
        self._room = threading.BoundedSemaphore(_READERS)
        self._closed = False

    def all(self, sql: bytes, values: Mapping[str, Any]) -> list[Any]:
        """The rows of `sql`. Asked once more where the server was away meanwhile. Errors: `StoreError`."""
        with self._room:
            try:
                try:
                    return self._ask(sql, values)
                except psycopg.Error as error:
                    if not self._prepares.refused(error) and not isinstance(error, psycopg.OperationalError):
                        raise
                    self._drop_all()
                    return self._ask(sql, values)
            except psycopg.Error as error:
                raise _failure(error, without_password(self._url)) from error

    def close(self) -> None:
        self._closed = True
        self._drop_all()

    def _ask(self, sql: bytes, values: Mapping[str, Any]) -> list[Any]:
        try:
            reader = self._free.pop()
            if not self._prepares.allowed:
                reader.prepare_threshold = None
        except IndexError:
            reader = connect(self._url, self._prepares, patience_s=_PATIENCE_S)
        try:
            rows: list[Any] = reader.execute(sql, values).fetchall()
        finally:
            if reader.broken or self._closed:
                reader.close()
            else:
                self._free.append(reader)
        return rows

    def _drop_all(self) -> None:
        while self._free:
            with contextlib.suppress(IndexError):
                self._free.pop().close()


def without_password(url: str) -> str:
    """`url` as it may be shown."""
    parts = urlsplit(url)
    if parts.password is None:
        return url
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{parts.username}:***@{place}"))


def _failure(error: psycopg.Error, place: str) -> DetentError:
    """What whoever asked is told of `error`."""
    if isinstance(error, psycopg.DataError) and ("NUL" in str(error) or error.sqlstate == "22P05"):
        return InvalidOptions("a text has a NUL character, which PostgreSQL cannot keep; remove it")
    return StoreError(_advice(error, place))


def _advice(error: psycopg.Error, place: str) -> str:
    text = " ".join(str(error).split())
    state = error.sqlstate or ""
    kept = "Nothing that was acknowledged is lost"
    if "password authentication failed" in text or state == "28P01":
        return f"{place} refused the password; set DETENT_DATABASE_URL to one with the right user and password"
    if state == "3D000" or ("database" in text and "does not exist" in text):
        return f"{place} has no such database ({text}); make it with `createdb`, or name another"
    if state == "42501":
        return f"{place} does not allow this ({text}); grant the user the rights to schema detent, see `detent doctor`"
    if state.startswith("53"):
        return f"{place} has no room ({text}); free disk space or connections there and try again. {kept}"
    if state in ("57014", "55P03", "25P03"):
        return f"{place} was busy for too long ({text}); see `detent doctor`. {kept}"
    if isinstance(error, psycopg.OperationalError):
        return f"the database {place} does not answer ({text}); see `detent doctor`. {kept}; ask again"
    return f"the database {place} refused: {text}. {kept}"
