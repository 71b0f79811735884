"""The database server: reach, version, rights, schema, what stands between, how quick it is, and its clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from statistics import median
from typing import TYPE_CHECKING, Any

from ..config import Config
from ..store.statements import migrations
from .finding import Finding, failed, good, said, shown, warning
from .passwords import check_password

if TYPE_CHECKING:
    import psycopg

__all__ = ["check_database_server"]

#: The oldest that is tested, and the oldest that has what the statements use.
_TESTED, _OLDEST = 150_000, 120_000
#: A commit slower than this makes every trigger slow, in milliseconds.
_SLOW_MS = 25.0
#: Clocks further apart than this make moments in logs and lists confusing, in milliseconds.
_APART_MS = 2_000
#: Connections that one server or worker takes at the most.
_CONNECTIONS = 12
#: Transactions of which the middle one counts.
_TRIES = 7


def check_database_server(config: Config) -> Iterator[Finding]:
    """Nothing where the store is a file."""
    if config.database_path is not None:
        return
    try:
        import psycopg

        from ..store.postgresql import connect
    except ModuleNotFoundError:
        return  # the finding of the extras says so
    place = shown(config.database_url)
    yield from check_password("database", config.database_url, "DETENT_DATABASE_URL", config)
    try:
        opened = connect(config.database_url)
    except (psycopg.Error, ValueError) as error:
        yield failed("database.reach", f"{place} is not reached: {said(error, config)}", _advice(str(error)))
        return
    with closing(opened) as db:
        db.prepare_threshold = None
        yield _version(db, place)
        yield from _rights(db)
        yield _schema(db)
        yield from _settings(db)
        yield _between(db, config)
        yield from _turns(db)
        yield _clock(db)
        yield _room(db)
        yield from _leaders(db)


def _advice(text: str) -> str:
    if "password" in text or "authentication" in text:
        return "set DETENT_DATABASE_URL to one with the right user and password"
    if "does not exist" in text:
        return "make it: createdb NAME, or createuser NAME; or name another one in DETENT_DATABASE_URL"
    if "refused" in text or "resolve" in text or "timeout" in text or "timed out" in text:
        return "start the server, or correct host and port in DETENT_DATABASE_URL; see to the firewall between"
    return "correct DETENT_DATABASE_URL"


def _one(db: psycopg.Connection[Any], sql: str) -> Any:
    return db.execute(sql.encode()).fetchall()[0]


def _version(db: psycopg.Connection[Any], place: str) -> Finding:
    number = db.info.server_version
    told = f"PostgreSQL {number // 10_000}.{number % 10_000} at {place}"
    if number < _OLDEST:
        return failed("database.reach", f"{told} is too old", "move to PostgreSQL 15 or newer", version=number)
    if number < _TESTED:
        return warning(
            "database.reach", f"{told} is older than any tested", "use PostgreSQL 15 or newer", version=number
        )
    return good("database.reach", told, version=number)


def _rights(db: psycopg.Connection[Any]) -> Iterator[Finding]:
    user, database, may_make, there = _one(
        db,
        "SELECT current_user, current_database(), has_database_privilege(current_database(), 'CREATE')::int, "
        "(to_regnamespace('detent') IS NOT NULL)::int",
    )
    if not there:
        if may_make:
            yield good("database.rights", f"{user} may make the schema detent in {database}")
        else:
            yield failed(
                "database.rights",
                f"{user} may not make the schema detent in {database}",
                f'psql -d {database} -c "CREATE SCHEMA detent AUTHORIZATION {user}"',
            )
        return
    [foreign] = _one(
        db,
        "SELECT count(*) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = 'detent' AND c.relkind IN ('r', 'p') AND NOT pg_has_role(c.relowner, 'USAGE')",
    )
    [may_use] = _one(
        db, "SELECT (has_schema_privilege('detent', 'USAGE') AND has_schema_privilege('detent', 'CREATE'))::int"
    )
    if foreign or not may_use:
        told = f"the schema detent belongs to another user than {user}, who cannot bring it to a newer version"
        yield failed("database.rights", told, f'psql -d {database} -c "REASSIGN OWNED BY OWNER TO {user}"')
    else:
        yield good("database.rights", f"{user} owns the schema detent in {database}")


def _schema(db: psycopg.Connection[Any]) -> Finding:
    from ..store.migrating import schema_version

    known, there = len(migrations("postgresql")), schema_version(db)
    if there > known:
        told = f"the database has schema {there}, this detent knows {known}"
        return failed("database.schema", told, "upgrade detent, or use the version that wrote it", version=there)
    if there == 0:
        return good("database.schema", "the schema is not there yet; `detent server` makes it", version=0)
    if there < known:
        told = f"the database has schema {there}, this detent needs {known}"
        return warning("database.schema", told, "detent migrate", version=there)
    return good("database.schema", f"schema {there}, the present one", version=there)


def _settings(db: psycopg.Connection[Any]) -> Iterator[Finding]:
    encoding, copy, fsync, commit = _one(
        db,
        "SELECT getdatabaseencoding(), pg_is_in_recovery()::int, current_setting('fsync'), "
        "current_setting('synchronous_commit')",
    )
    if encoding != "UTF8":
        told = f"the database is encoded in {encoding}"
        yield failed("database.settings", told, "make one in UTF-8: createdb --encoding=UTF8 --template=template0 NAME")
    elif copy:
        yield failed("database.settings", "the server is a standby, which cannot be written", "name the primary")
    elif fsync == "off":
        told = "the server writes with fsync = off: a power cut may damage all of it"
        yield warning("database.settings", told, "set fsync = on in postgresql.conf")
    else:
        yield good("database.settings", f"encoding {encoding}, synchronous_commit = {commit}")


def _between(db: psycopg.Connection[Any], config: Config) -> Finding:
    # A pooler answers a connection with a number of its own; the server knows another one.
    [real] = _one(db, "SELECT pg_backend_pid()")
    if real == db.info.backend_pid:
        return good("database.pooler", "the connection goes straight to the server", pooler=False)
    told = "a pooler stands between"
    if config.broker_url is None:
        advice = "set DETENT_BROKER_URL: without one, engines tell each other by LISTEN, which poolers may not carry"
        return warning("database.pooler", f"{told}, and there is no broker", advice, pooler=True)
    return good("database.pooler", f"{told}; transaction mode will do", pooler=True)


def _turns(db: psycopg.Connection[Any]) -> Iterator[Finding]:
    from ..store.postgresql import LOCK

    turn = (
        "BEGIN; SET LOCAL lock_timeout = '2s'; SET LOCAL synchronous_commit = on; "
        f"SELECT pg_advisory_xact_lock({LOCK}); "
        "SELECT pg_logical_emit_message(true, 'detent', ''); COMMIT"
    )
    import psycopg

    took = []
    for _ in range(_TRIES):
        begun = time.perf_counter()
        try:
            db.execute(turn.encode())
        except psycopg.errors.LockNotAvailable:
            db.execute("ROLLBACK")
            yield _holder(db)
            return
        except psycopg.errors.InsufficientPrivilege as error:
            db.execute("ROLLBACK")
            advice = "grant EXECUTE on function pg_logical_emit_message(boolean, text, text) to the user"
            yield failed("database.commit", f"a transaction is refused: {said(error, None)}", advice)
            return
        took.append((time.perf_counter() - begun) * 1000)
    middle = round(median(took), 2)
    told = f"a transaction takes {middle:g} ms, the longest of {_TRIES} took {max(took):.1f} ms"
    if middle > _SLOW_MS:
        advice = "put server and database nearer to each other, or the database on a faster disk"
        yield warning("database.commit", told, advice, median_ms=middle, most_ms=round(max(took), 2))
    else:
        yield good("database.commit", told, median_ms=middle, most_ms=round(max(took), 2))


def _holder(db: psycopg.Connection[Any]) -> Finding:
    rows = db.execute(
        b"SELECT a.pid, a.state, coalesce(a.client_addr::text, 'this machine'), "
        b"CAST(extract(epoch FROM clock_timestamp() - a.xact_start) AS BIGINT) "
        b"FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid "
        b"WHERE l.locktype = 'advisory' AND l.granted AND l.database = (SELECT oid FROM pg_database "
        b"WHERE datname = current_database()) ORDER BY a.xact_start LIMIT 1"
    ).fetchall()
    if not rows:
        return warning("database.commit", "the database was busy for 2 s", "look again in a while")
    pid, state, client, seconds = rows[0]
    told = f"the connection {pid} from {client} has held the lock of all writes for {seconds} s ({state})"
    return failed("database.commit", told, f'psql -c "SELECT pg_terminate_backend({pid})"', pid=pid)


def _clock(db: psycopg.Connection[Any]) -> Finding:
    before = time.time()
    [there] = _one(db, "SELECT CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)")
    apart = round(there - (before + time.time()) / 2 * 1000)
    told = f"the clock of the database is {abs(apart)} ms {'ahead of' if apart > 0 else 'behind'} this machine's"
    if abs(apart) > _APART_MS:
        return warning("database.clock", told, "let both follow a time server, such as by chrony", apart_ms=apart)
    return good("database.clock", told, apart_ms=apart)


def _room(db: psycopg.Connection[Any]) -> Finding:
    used, most, size = _one(
        db,
        "SELECT (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), "
        "CAST(current_setting('max_connections') AS BIGINT) "
        "- CAST(current_setting('superuser_reserved_connections') AS BIGINT), "
        "pg_database_size(current_database())",
    )
    told = f"{used} of {most} connections are taken; the database has {size / 1024**2:,.1f} MiB"
    figures = {"connections": used, "most_connections": most, "bytes": size}
    if most - used < _CONNECTIONS:
        return warning("database.room", told, "set max_connections higher, or put a pooler between", **figures)
    return good("database.room", told, **figures)


def _leaders(db: psycopg.Connection[Any]) -> Iterator[Finding]:
    [there] = _one(db, "SELECT (to_regclass('detent.leaders') IS NOT NULL)::int")
    if not there:
        return
    rows = db.execute(
        b"SELECT name, holder FROM detent.leaders WHERE until > extract(epoch FROM clock_timestamp()) * 1000"
    ).fetchall()
    engines = len({holder for _, holder in rows})
    told = f"{len(rows)} loops are led, by {engines} engines" if rows else "no server runs on this database now"
    yield good("database.leaders", told, loops=len(rows), engines=engines)
