"""The process that holds a project: engine, store, the workers' socket and the HTTP API together."""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

from ..accounts import Accounts
from ..accounts.accounts import slug_of
from ..accounts.local_key import local_key
from ..config import Config, ensure_state_dir, own_secrets
from ..embedded import running_server
from ..engine import Engine, failpoints
from ..engine.asking import Asking
from ..engine.leaders import Leaders
from ..engine.leases import LEASE_MS
from ..engine.loops import Leases
from ..engine.operations import Operations
from ..engine.source_lines import SourceFiles
from ..engine.variables import seal_all_again, variables_for_worker
from ..errors import ProjectLocked, StoreError
from ..model.ids import new_id
from ..model.protocol import Hello
from ..model.this_host import host_name, this_host
from ..neighbourhood import Neighbourhood
from ..objects import open_store
from ..store import open_database
from ..telemetry import open_telemetry
from ..vault import Vault, vault_of
from .addresses import Reach
from .alerting import Alerting
from .app import make_app
from .beside import Beside
from .engine_socket import EngineSocket
from .http import HttpServer
from .hub import Hub
from .links import Links
from .lock import ProjectLock
from .socket_place import socket_place

__all__ = ["Host"]

logger = logging.getLogger("detent.server")

#: How long a process may take to disappear after its connection has closed, in seconds.
_GONE_WITHIN_S = 2.0
#: A supervisor in the same process usually reports a death first, with the exit code; it is given this long.
_SUPERVISOR_FIRST_S = 0.7
#: How often the death of a worker is written again while the store is away, in seconds.
_AGAIN_S = 1.0


class Host:
    """Holds a project and serves it.

    Several may serve one that is kept in a database server; of a project of its own there is one at a time.

    Parameters:
      config: the project's settings. `host`, `port`: where to listen; the settings' own when None, 0 for a free port.
      sync: SQLite's ``synchronous`` where the settings do not say.
      reach: how far webhooks of alerts may go, likewise.
      listens: False for the workers of this machine alone: no API.
      mcp: see `make_app`.
    """

    def __init__(
        self,
        config: Config,
        *,
        host: str | None = None,
        port: int | None = None,
        sync: str = "NORMAL",
        reach: Reach = Reach.PUBLIC,
        listens: bool = True,
        mcp: Beside | None = None,
    ) -> None:
        self.config = config
        self._host = host or config.host
        self._port = config.port if port is None else port
        self._sync = config.sqlite_sync or sync
        self._reach = reach
        self._listens = listens
        self._mcp = mcp
        self._key = ""
        self._closing = ExitStack()
        self._stopping = threading.Event()
        self.url = ""
        #: Where workers connect.
        self.socket_path = ""

    def start(self) -> str:
        """Take the project and listen; the URL.

        Errors: `ProjectLocked` when another process holds the project, `ConfigError` for a busy port or a wrong
        fail point, `StoreError`.
        """
        failpoints.arm()
        self._state_dir = ensure_state_dir(self.config)
        with ExitStack() as started:
            if self.config.database_path is not None:
                self._lock = ProjectLock(self._state_dir)
                self._take_lock()
                started.callback(self._lock.release)
            self._key = local_key(self._state_dir)
            self._open(started)
            self._closing = started.pop_all()
        return self.url

    def _open(self, started: ExitStack) -> None:
        config = self.config
        self.store = open_database(config.database_url, config.database_path, self._sync)
        started.callback(self.store.close)
        self.telemetry = open_telemetry(config.database_url, self._state_dir / "telemetry.db")
        started.callback(self.telemetry.close)
        self.objects = open_store(config.object_store_url)
        keep_s = config.retention
        neighbourhood = Neighbourhood(config, self.store)
        started.callback(neighbourhood.leave)
        self.engine = Engine(
            self.store,
            env_limit=config.concurrency_limit,
            on_emit=self.telemetry.append,
            retention_ms=None if keep_s is None else int(keep_s * 1000),
            on_remove=self.telemetry.forget,
            objects=self.objects,
            lease_ms=config.lease_ms or LEASE_MS,
            **neighbourhood.of_engine,
        )
        neighbourhood.join(self.engine)
        self.accounts = Accounts(self.store, self.engine.clock.now, slug_of(config.project))
        self.accounts.seed()
        if config.secret_key is not None:
            self.accounts.trust(config.secret_key)
        vault = vault_of(config)
        seal_all_again(self.store, vault)
        self.alerting = Alerting(self.engine, config, vault, reach=self._reach)
        self.operations = Operations(
            self.engine,
            self.telemetry,
            self.objects,
            SourceFiles(config.root, config.dirs),
            self.accounts,
            vault=vault,
            link_s=config.object_link_ttl,
            hidden=[self._key, *own_secrets(config)],
            secret_names=config.redact,
        )
        if self._listens:
            self._listen(started, vault)
        self._lose_the_dead()
        self._run_loops(started)
        self._take_workers(started, vault)
        if self._listens:
            started.callback(self._untell)
            self._tell()

    def _listen(self, started: ExitStack, vault: Vault) -> None:
        hub = Hub(self.operations.streams.shapes, self.operations.streams.listeners)
        links = Links(self.engine, self.worker_exited, partial(variables_for_worker, self.store, vault))
        started.callback(links.close)
        app = make_app(
            self.operations,
            key=self._key,
            host=self._host,
            hub=hub,
            rates=self.config.rate_limit,
            links=links,
            public_name=urlsplit(self.config.public_url or "").hostname,
            mcp=self._mcp,
        )
        http = HttpServer(app, self._host, self._port)
        http.on_stop += [hub.close, links.stop, *([] if self._mcp is None else [self._mcp.stop])]
        self.url = http.start()
        self.engine.callbacks.base = self.config.public_url or self.url
        started.callback(http.stop)

    def _run_loops(self, started: ExitStack) -> None:
        engine = self.engine
        if self.store.is_shared:
            # Silence is watched for by all of them: whoever begins to has to listen for a whole lease first.
            loops = [loop for loop in (*engine.loops, *self.alerting.loops) if not isinstance(loop, Leases)]
            leaders = Leaders(engine.write, self.store, engine.clock, loops, new_id("engine"))
            leaders.start()
            started.callback(leaders.stop)
        engine.start()
        started.callback(engine.stop)
        self.alerting.start()
        started.callback(self.alerting.stop)

    def _take_workers(self, started: ExitStack, vault: Vault) -> None:
        # Several servers of one project may run on one machine, where a database keeps it.
        place = socket_place(self.config.root, str(os.getpid()) if self.store.is_shared else "")
        asking = Asking(self.operations)
        started.callback(asking.close)
        self.engine.asking = asking
        variables_of = partial(variables_for_worker, self.store, vault)
        workers = EngineSocket(self.engine, place, self._on_gone, self.worker_exited, variables_of)
        workers.start()
        started.callback(workers.stop)
        self.socket_path = str(place)

    @property
    def key(self) -> str:
        """What API requests must carry."""
        return self._key

    def worker_exited(self, worker_id: str, cause: str, stopped: bool = False) -> None:
        """The supervising parent saw the end of a worker process: its runs go on elsewhere at once (C3).

        `stopped`: it was asked to end, so that this does not count against the runs that it held.
        """
        if not self._lost(worker_id, cause, stopped):
            threading.Thread(
                target=self._lose, args=(worker_id, cause, stopped), name="detent-lose", daemon=True
            ).start()

    def stop(self) -> None:
        """Let the project go."""
        self._stopping.set()
        self._closing.close()

    def _lost(self, worker_id: str, cause: str, stopped: bool) -> bool:
        """Write that the worker is dead; False when the store did not take it."""
        try:
            self.engine.lose_worker(worker_id, cause, stopped=stopped)
        except StoreError as error:
            logger.warning("the end of worker %s is not written yet: %s", worker_id, error)
            return False
        return True

    def _lose(self, worker_id: str, cause: str, stopped: bool) -> None:
        while not self._stopping.wait(_AGAIN_S):
            if self._lost(worker_id, cause, stopped):
                return

    def _take_lock(self) -> None:
        # A script may hold the lock for the moment of a write, so one refusal is not the end.
        ends = time.monotonic() + 3.0
        pause = threading.Event()
        while not self._lock.try_acquire():
            server = running_server(self._state_dir)
            if server is not None:
                raise ProjectLocked(
                    f"a detent server is already running for {self.config.root} (process {server.pid}, {server.url}); "
                    "use it, or stop it first"
                )
            if time.monotonic() > ends:
                raise ProjectLocked(
                    f"another process holds {self._state_dir / 'lock'} and does not say which; stop it first"
                )
            pause.wait(0.02)

    def _tell(self) -> None:
        """Write where this process can be reached, for clients, scripts and workers of the project."""
        told = {
            "url": self.url,
            "pid": os.getpid(),
            "key": self._key,
            "socket": self.socket_path,
            "started_at": int(time.time() * 1000),
        }
        fresh = self._file.with_suffix(f".{os.getpid()}.new")
        fresh.unlink(missing_ok=True)
        fresh.touch(mode=0o600)
        fresh.write_bytes(msgspec.json.encode(told))
        fresh.replace(self._file)

    def _untell(self) -> None:
        server = running_server(self._state_dir)
        if server is not None and server.pid == os.getpid():
            self._file.unlink(missing_ok=True)

    @property
    def _file(self) -> Path:
        return self._state_dir / "server.json"

    def _lose_the_dead(self) -> None:
        """Workers of this host whose process is gone are dead at once, also after all of `detent dev` was killed."""
        for row in self.store.read("list_workers"):
            # The end of a cell is told by its parent, or goes with it.
            if row["parent"] is None and self._is_here(row["host"]) and not _lives(row["pid"], row["pid_started"]):
                self.engine.lose_worker(row["id"], "its process was gone when the server started")

    def _is_here(self, host: str) -> bool:
        # A store of its own is of one machine, whose boots are told apart by the times at which processes started.
        return host == this_host() or (not self.store.is_shared and host_name(host) == host_name(this_host()))

    def _on_gone(self, hello: Hello) -> None:
        """On the thread of a connection that has closed: is the worker dead, or will it come back?"""
        if not self._is_here(hello.host) or hello.parent is not None:
            return
        ends = time.monotonic() + _GONE_WITHIN_S
        while time.monotonic() < ends and not self._stopping.is_set():
            if self.engine.sessions.get(hello.worker_id) is not None:
                return
            if not _lives(hello.pid, hello.pid_started):
                self._stopping.wait(_SUPERVISOR_FIRST_S)
                self.worker_exited(hello.worker_id, "its process ended")
                return
            self._stopping.wait(0.02)


def _lives(pid: int, started: float) -> bool:
    """Whether the process of this number that started at this time lives; numbers are used again."""
    try:
        process = psutil.Process(pid)
        return abs(process.create_time() - started) < 1.0 and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False
