"""A project's own engine as a transport: in this process, or in the process that holds the project."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import msgspec

from .config import Config, ensure_state_dir, own_secrets
from .errors import ProjectLocked, ServerUnreachable
from .model.protocol import Handle, NewRun
from .model.transport import FeedEvent

if TYPE_CHECKING:
    from .client.http import HttpTransport
    from .deploy.shelf import Shelf
    from .engine.operations import Operations
    from .server.lock import ProjectLock

__all__ = ["EmbeddedTransport", "ProjectTransport", "RunningServer", "running_server"]

T = TypeVar("T")

#: How long another process may hold the project without being a server that answers, in seconds.
PATIENCE_S = 10.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.001, 0.05
#: Between two looks at a feed where no server tells of it, in seconds.
_LOOK_S = 0.05
#: Longest time between two questions after a run that nobody tells of, in seconds.
_UNTOLD_S = 0.5
#: How long a server may be away before it is looked for elsewhere, in seconds.
_AWAY_S = 0.2


class RunningServer(NamedTuple):
    """The process that holds a project, as `.detent/server.json` tells."""

    url: str
    pid: int
    key: str | None
    socket: str | None = None


def running_server(state_dir: Path) -> RunningServer | None:
    """The server of the project, or None when its process has ended or it has not said yet where it
    listens."""
    try:
        told = msgspec.json.decode((state_dir / "server.json").read_bytes())
        server = RunningServer(told["url"], int(told["pid"]), told.get("key"), told.get("socket"))
    except (OSError, msgspec.DecodeError, KeyError, TypeError, ValueError, AttributeError):
        return None
    try:
        os.kill(server.pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:  # it lives, under another user
        pass
    return server


class EmbeddedTransport:
    """An engine in this process. `close` is left to whoever made the engine."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger`."""
        return self._operations.trigger(runs, batch_id)

    async def trigger_async(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger_async`."""
        return await asyncio.to_thread(self._operations.trigger, runs, batch_id)

    def call(self, operation: str, **values: Any) -> Any:
        """See `Transport.call`."""
        return self._operations.call(operation, **values)

    async def call_async(self, operation: str, **values: Any) -> Any:
        """See `Transport.call_async`."""
        return await asyncio.to_thread(self._operations.call, operation, **values)

    def wait(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`."""
        self._operations.wait(run_id, most_s)

    async def wait_async(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`."""
        await asyncio.to_thread(self._operations.wait, run_id, most_s)

    def follow(self, operation: str, values: Mapping[str, Any], after: str | None) -> Iterator[FeedEvent]:
        """See `Transport.follow`."""
        ended = False
        while not ended:
            events, ended, more = _look(self, operation, values, after)
            for event in events:
                after = event.id
                if event.data is not None:
                    yield event
            if not more and not ended:
                time.sleep(_LOOK_S)

    async def follow_async(
        self, operation: str, values: Mapping[str, Any], after: str | None
    ) -> AsyncIterator[FeedEvent]:
        """See `Transport.follow`."""
        ended = False
        while not ended:
            events, ended, more = await asyncio.to_thread(_look, self, operation, values, after)
            for event in events:
                after = event.id
                if event.data is not None:
                    yield event
            if not more and not ended:
                await asyncio.sleep(_LOOK_S)

    def put_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.put_bundle`."""
        self._shelf().put(digest, path)

    def get_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.get_bundle`."""
        self._shelf().get(digest, path)

    def _shelf(self) -> Shelf:
        from .deploy.shelf import Shelf

        return Shelf(self._operations.objects.store, self._operations.env)

    def close(self) -> None:
        """Nothing: the engine is closed by its owner."""


def _look(
    way: EmbeddedTransport, operation: str, values: Mapping[str, Any], after: str | None
) -> tuple[list[FeedEvent], bool, bool]:
    """The events beyond `after`, whether they are the last, and whether there may be more at once."""
    answer = way.call(operation, **values, last_event_id=after)
    return [FeedEvent(**event) for event in answer["events"]], answer["ended"], answer["more"]


class _HeldByServer(BaseException):
    """Another process holds the project and takes requests at `server`."""

    def __init__(self, server: RunningServer) -> None:
        self.server = server


class _Guard:
    """Holds the project's lock for one transaction, so that a server started later can take the project
    over."""

    def __init__(self, state_dir: Path, lock: ProjectLock) -> None:
        self._state_dir = state_dir
        self._lock = lock

    def __enter__(self) -> None:
        pause = _FIRST_PAUSE_S
        ends = time.monotonic() + PATIENCE_S
        while not self._lock.try_acquire():
            server = running_server(self._state_dir)
            if server is not None:
                raise _HeldByServer(server)
            if time.monotonic() >= ends:
                raise ProjectLocked(
                    f"another process has held the project {self._state_dir.parent} for {PATIENCE_S:g} s "
                    "and takes no requests; find it with `detent doctor`, or stop it"
                )
            time.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_S)

    def __exit__(self, *_: object) -> None:
        self._lock.release()


class ProjectTransport:
    """Reaches the engine of a project, wherever it is at the moment.

    While no other process holds the project, calls work on its store in this process, each write under the
    project's lock. Once another process is found holding it, calls go there by HTTP until it has gone.

    Parameters:
      config: the project's settings. Its `database_url` must be an SQLite file. Its `project_slug` and `environment`
        say what the calls are about.
    """

    def __init__(self, config: Config) -> None:
        self._config = config
        self._state_dir = ensure_state_dir(config)
        self._lock = Lock()
        self._embedded: EmbeddedTransport | None = None
        self._closers: list[Callable[[], None]] = []
        self._server: HttpTransport | None = None

    def trigger(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger`. Sent again when the engine moves meanwhile: the ids are made before."""
        return self._do(lambda way: way.trigger(runs, batch_id))

    async def trigger_async(self, runs: Sequence[NewRun], batch_id: str | None = None) -> list[Handle]:
        """See `Transport.trigger_async`."""
        return await asyncio.to_thread(self.trigger, runs, batch_id)

    def call(self, operation: str, **values: Any) -> Any:
        """See `Transport.call`."""
        return self._do(lambda way: way.call(operation, **values))

    async def call_async(self, operation: str, **values: Any) -> Any:
        """See `Transport.call_async`."""
        return await asyncio.to_thread(self.call, operation, **values)

    def wait(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`."""
        server = self._told_by() if most_s > _UNTOLD_S else None
        if server is not None:
            server.wait(run_id, most_s)
        else:
            time.sleep(min(most_s, _UNTOLD_S))

    async def wait_async(self, run_id: str, most_s: float) -> None:
        """See `Transport.wait`."""
        server = self._told_by() if most_s > _UNTOLD_S else None
        if server is not None:
            await server.wait_async(run_id, most_s)
        else:
            await asyncio.sleep(min(most_s, _UNTOLD_S))

    def follow(self, operation: str, values: Mapping[str, Any], after: str | None) -> Iterator[FeedEvent]:
        """See `Transport.follow`. A server that holds the project tells; without one the store is looked at."""
        ended = False
        while not ended:
            server = self._told_by()
            if server is not None:
                with suppress(ServerUnreachable):
                    for event in server.follow(operation, values, after, _AWAY_S):
                        after = event.id
                        yield event
                    return
            events, ended, more = _look(self._open(), operation, values, after)
            for event in events:
                after = event.id
                if event.data is not None:
                    yield event
            if not more and not ended:
                time.sleep(_LOOK_S)

    async def follow_async(
        self, operation: str, values: Mapping[str, Any], after: str | None
    ) -> AsyncIterator[FeedEvent]:
        """See `Transport.follow`."""
        ended = False
        while not ended:
            server = self._told_by()
            if server is not None:
                with suppress(ServerUnreachable):
                    async for event in server.follow_async(operation, values, after, _AWAY_S):
                        after = event.id
                        yield event
                    return
            way = await asyncio.to_thread(self._open)
            events, ended, more = await asyncio.to_thread(_look, way, operation, values, after)
            for event in events:
                after = event.id
                if event.data is not None:
                    yield event
            if not more and not ended:
                await asyncio.sleep(_LOOK_S)

    def put_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.put_bundle`."""
        self._do(lambda way: way.put_bundle(digest, path))

    def get_bundle(self, digest: str, path: Path) -> None:
        """See `Transport.get_bundle`."""
        self._do(lambda way: way.get_bundle(digest, path))

    def _told_by(self) -> HttpTransport | None:
        """The server that holds the project at the moment."""
        server = running_server(self._state_dir)
        if server is None:
            return None
        known = self._server
        if known is None or known.api_url != server.url:
            with self._lock:
                self._server = None
            self._go_to(server)
        return self._server

    async def aclose(self) -> None:
        """Close the store and the connections."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Close the store and the connections."""
        with self._lock:
            closers, self._closers = self._closers, []
            server, self._server = self._server, None
            self._embedded = None
        for close in closers:
            # To close takes no lock of the project, but to wait for a write that is under way may meet one.
            with suppress(_HeldByServer, ProjectLocked):
                close()
        if server is not None:
            server.close()

    def _do(self, act: Callable[[EmbeddedTransport | HttpTransport], T]) -> T:
        lost: ServerUnreachable | None = None
        lost_at: str | None = None
        for _ in range(4):
            server = self._server
            try:
                if server is not None:
                    return act(server)
                return act(self._open())
            except _HeldByServer as held:
                if lost is not None and held.server.url == lost_at:
                    raise lost from None
                self._go_to(held.server)
            except ServerUnreachable as error:
                lost, lost_at = error, None if server is None else server.api_url
                with self._lock:
                    if self._server is server:
                        self._server = None
        raise lost or ProjectLocked(f"the project {self._config.root} changes hands all the time; try again")

    def _go_to(self, server: RunningServer) -> None:
        from .client.http import HttpTransport

        with self._lock:
            if self._server is None:
                self._server = HttpTransport(
                    server.url,
                    server.key,
                    project=self._config.project_slug,
                    environment=self._config.environment,
                    advice=f"process {server.pid} holds the project; stop it and start `detent dev` again",
                )

    def _open(self) -> EmbeddedTransport:
        with self._lock:
            if self._embedded is not None:
                return self._embedded
            from .accounts import Accounts
            from .accounts.accounts import slug_of
            from .engine import Engine
            from .engine.operations import Operations
            from .engine.source_lines import SourceFiles
            from .neighbourhood import Neighbourhood
            from .objects import open_store
            from .server.lock import ProjectLock
            from .store import open_database
            from .telemetry import open_telemetry
            from .vault import vault_of

            guard = _Guard(self._state_dir, ProjectLock(self._state_dir))
            config = self._config
            store = open_database(
                config.database_url, config.database_path, config.sqlite_sync or "NORMAL", lambda: guard
            )
            telemetry = open_telemetry(config.database_url, self._state_dir / "telemetry.db")
            self._closers += [telemetry.close, store.close]
            neighbourhood = Neighbourhood(config, store)
            self._closers.insert(0, neighbourhood.leave)
            engine = Engine(store, env_limit=self._config.concurrency_limit, **neighbourhood.of_engine)
            neighbourhood.join(engine)
            engine.callbacks.base = self._config.public_url or f"http://127.0.0.1:{self._config.port}"
            accounts = Accounts(store, engine.clock.now, slug_of(self._config.project))
            operations = Operations(
                engine,
                telemetry,
                open_store(self._config.object_store_url),
                SourceFiles(self._config.root, self._config.dirs),
                accounts,
                vault=vault_of(self._config),
                link_s=self._config.object_link_ttl,
                hidden=own_secrets(self._config),
                secret_names=self._config.redact,
            )
            if self._config.environment is not None or self._config.project_slug is not None:
                there = accounts.owner(self._config.environment, self._config.project_slug)
                operations = operations.in_env(there.env)
            self._embedded = EmbeddedTransport(operations)
            return self._embedded
