"""A pooler of connections to PostgreSQL in transaction mode: many clients share few sessions of the server.

    with Pooler(server.port, size=2) as pooler: ...    # speaks enough of the protocol
    with PgBouncer(server.port) as pooler: ...         # the real one, where it is on PATH

A client gets a session for one transaction. Nothing that belongs to a session outlives it: no prepared statement, no
SET, no LISTEN, no advisory lock of a session, no temporary table.
"""

from __future__ import annotations

import asyncio
import itertools
import shutil
import struct
from collections.abc import Sequence
from contextlib import suppress

import psycopg

from .process import Server, unprivileged_user
from .relay import Relay

__all__ = ["POOLERS", "PgBouncer", "Pooler"]

_CANCEL, _TLS, _GSS = 80877102, 80877103, 80877104
#: Messages of a client that the server answers with one ReadyForQuery each: Query, Sync, FunctionCall.
_ASKS = b"QSF"
#: Those that a Sync has to follow: Parse, Bind, Describe, Execute, Close, Flush.
_OPEN = b"PBDECH"


class Pooler(Relay):
    """``with Pooler(port) as pooler``: what connects to `pooler.port` shares `size` sessions per user and database.

    Attributes:
      port: where it listens on 127.0.0.1.
      sessions: how many sessions of the server it has opened. transactions: how many it has lent them for.
    """

    def __init__(self, port: int, *, size: int = 2) -> None:
        super().__init__(port)
        self._size = size
        self._pools: dict[bytes, _Pool] = {}
        self._clients: dict[bytes, _Client] = {}
        self._keys = itertools.count(1)
        self.sessions = 0
        self.transactions = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        startup = await self._greet(reader, writer)
        if startup is not None:
            await self._talk(startup, reader, writer)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bytes | None:
        """The client's startup message; None when all it wanted was to cancel something."""
        while True:
            (length,) = struct.unpack("!I", await reader.readexactly(4))
            body = await reader.readexactly(length - 4)
            (code,) = struct.unpack("!I", body[:4])
            if code in (_TLS, _GSS):
                writer.write(b"N")
                continue
            if code == _CANCEL:
                await self._cancel(body[4:])
                return None
            return struct.pack("!I", length) + body

    async def _cancel(self, key: bytes) -> None:
        client = self._clients.get(key)
        if client is not None and client.session is not None:
            _, writer = await self.connect()
            writer.write(struct.pack("!II", 16, _CANCEL) + client.session.key)
            await writer.drain()
            self.close_writer(writer)

    async def _talk(self, startup: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        pool = self._pools.setdefault(startup, _Pool(self, startup, self._size))
        session = await pool.take()
        if session is None:
            writer.write(pool.refusal)
            await writer.drain()
            return
        pool.give(session)
        key = struct.pack("!II", next(self._keys), 1)
        client = self._clients[key] = _Client(pool, writer)
        writer.write(session.greeting + _message(b"K", key) + _message(b"Z", b"I"))
        try:
            while True:
                kind, message = await _read(reader)
                if kind == b"X":
                    return
                await client.ask(kind, message)
        finally:
            del self._clients[key]
            client.leave()

    async def open(self, startup: bytes) -> _Session | bytes:
        """A new session of the server; the error with which it refuses."""
        reader, writer = await self.connect()
        writer.write(startup)
        greeting, key = b"", b""
        while True:
            kind, message = await _read(reader)
            if kind == b"E":
                self.close_writer(writer)
                return message
            if kind == b"K":
                key = message[5:]
            elif kind == b"Z":
                self.sessions += 1
                return _Session(reader, writer, greeting, key)
            else:
                greeting += message


class _Session:
    """A session of the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, greeting: bytes, key: bytes) -> None:
        self.reader, self.writer, self.greeting, self.key = reader, writer, greeting, key

    async def forget(self) -> None:
        """Lose all that belongs to the session."""
        self.writer.write(_message(b"Q", b"DISCARD ALL\x00"))
        kind = b""
        while kind != b"Z":
            kind, _ = await _read(self.reader)


class _Pool:
    """The sessions of one user, database and set of options."""

    def __init__(self, pooler: Pooler, startup: bytes, size: int) -> None:
        self._pooler, self._startup = pooler, startup
        self._places = asyncio.Semaphore(size)
        self.idle: list[_Session] = []
        self.refusal = b""

    async def take(self) -> _Session | None:
        """A session, once there is one; None when the server refuses."""
        await self._places.acquire()
        while self.idle:
            session = self.idle.pop()
            if not session.reader.at_eof():
                return session
            self._pooler.close_writer(session.writer)
        try:
            opened = await self._pooler.open(self._startup)
        except BaseException:
            self._places.release()
            raise
        if isinstance(opened, bytes):
            self.refusal = opened
            self._places.release()
            return None
        return opened

    def give(self, session: _Session) -> None:
        self.idle.append(session)
        self._places.release()

    def drop(self, session: _Session) -> None:
        self._pooler.close_writer(session.writer)
        self._places.release()

    def lent(self) -> None:
        self._pooler.transactions += 1


class _Client:
    """A client, and the session that it has while a transaction of it lasts."""

    def __init__(self, pool: _Pool, writer: asyncio.StreamWriter) -> None:
        self._pool, self._writer = pool, writer
        self.session: _Session | None = None
        self._owed = 0
        self._is_synced = True
        self._answers: asyncio.Task[None] | None = None

    async def ask(self, kind: bytes, message: bytes) -> None:
        """Pass on what the client says, in a session that it has or gets."""
        asks = kind in _ASKS
        self._owed += asks
        self._is_synced = asks or (self._is_synced and kind not in _OPEN)
        if self.session is None:
            if self._answers is not None:
                await self._answers
            self.session = await self._pool.take()
            if self.session is None:
                raise ConnectionRefusedError
            self._pool.lent()
            self._answers = asyncio.ensure_future(self._pass_answers(self.session))
        self.session.writer.write(message)
        await self.session.writer.drain()

    async def _pass_answers(self, session: _Session) -> None:
        """Until no transaction is open and nothing that was asked awaits its answer."""
        try:
            while True:
                kind, message = await _read(session.reader)
                is_over = False
                if kind == b"Z":
                    self._owed -= 1
                    is_over = message[5:] == b"I" and not self._owed and self._is_synced
                if is_over:
                    break
                self._writer.write(message)
            # First, so that whoever hears the end finds nothing left.
            await session.forget()
            self.session = None
            self._writer.write(message)
        except (OSError, asyncio.IncompleteReadError):
            self._pool.drop(session)
            self._writer.close()
        except BaseException:
            self._pool.drop(session)
            raise
        else:
            self._pool.give(session)

    def leave(self) -> None:
        """One who goes in the middle of a transaction takes the session along."""
        if self.session is not None and self._answers is not None:
            self._answers.cancel()


async def _read(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """The kind of the next message, and the whole of it."""
    head = await reader.readexactly(5)
    (length,) = struct.unpack("!I", head[1:])
    return head[:1], head + await reader.readexactly(length - 4)


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


class PgBouncer(Server):
    """The real one, in transaction mode; `find` says whether there is one."""

    name = "pgbouncer"

    def __init__(self, port: int, *, size: int = 2) -> None:
        super().__init__(unprivileged_user("postgres"))
        config = {
            "listen_addr": "127.0.0.1",
            "listen_port": self.port,
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": size,
            "max_client_conn": 500,
            "ignore_startup_parameters": "extra_float_digits",
        }
        lines = [f"[databases]\n* = host=127.0.0.1 port={port} user=postgres\n[pgbouncer]"]
        self._file = self.folder / "pgbouncer.ini"
        self._file.write_text("\n".join(lines + [f"{key} = {value}" for key, value in config.items()]) + "\n")

    @staticmethod
    def find() -> str | None:
        return shutil.which("pgbouncer")

    def command(self) -> Sequence[str]:
        found = self.find()
        assert found is not None, "pgbouncer is not on PATH"
        return [found, str(self._file)]

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", connect_timeout=5).close()
            return True
        return False


#: Those that there are on this machine.
POOLERS = (Pooler, *([PgBouncer] if PgBouncer.find() else []))
