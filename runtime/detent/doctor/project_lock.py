"""Who holds the project on this machine, and what a dead holder left behind."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from ..config import Config
from ..embedded import RunningServer, running_server
from ..server.lock import ProjectLock
from .finding import Finding, failed, good, warning

__all__ = ["check_lock"]


def check_lock(config: Config) -> Iterator[Finding]:
    """The lock, the workers' socket and the port."""
    state = config.state_dir
    server = running_server(state) if state.is_dir() else None
    if config.database_path is not None:
        yield _lock(state, server)
    elif server is not None:
        yield good("lock.holder", f"process {server.pid} serves the project at {server.url}", pid=server.pid)
    if server is not None and server.socket is not None:
        yield _socket(server)
    yield _port(config, server)


def _lock(state: Path, server: RunningServer | None) -> Finding:
    file = state / "lock"
    if not file.exists():
        return good("lock.holder", "nobody has held the project yet")
    lock = ProjectLock(state)
    if lock.try_acquire():
        lock.release()
        if server is not None:
            return warning(
                "lock.holder",
                f"{state / 'server.json'} names process {server.pid}, which does not hold the project",
                f"remove {state / 'server.json'}; the process of this number is another one",
                pid=server.pid,
            )
        return good("lock.holder", "nobody holds the project")
    if server is not None:
        return good("lock.holder", f"process {server.pid} holds the project, at {server.url}", pid=server.pid)
    pids = _holders(file)
    if pids:
        names = ", ".join(map(str, pids))
        return failed("lock.holder", f"process {names} holds {file} and takes no requests", f"kill {pids[0]}")
    return failed("lock.holder", f"a process holds {file} and takes no requests", f"find it with `fuser {file}`")


def _holders(file: Path) -> list[int]:
    """Processes that have the file open, of those that this user may look at."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if any(Path(open_file.path) == file for open_file in process.open_files()):
                found.append(process.pid)
        except psutil.Error:
            continue
    return found


def _socket(server: RunningServer) -> Finding:
    path = server.socket or ""
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(2.0)
            connection.connect(path)
    except OSError as error:
        told = f"workers cannot connect to {path}: {error.strerror or error}"
        return failed("lock.socket", told, f"stop process {server.pid} and start `detent server` again")
    return good("lock.socket", f"workers can connect to {path}")


def _port(config: Config, server: RunningServer | None) -> Finding:
    if server is not None:
        return good("lock.port", f"the server listens at {server.url}")
    if config.port == 0:
        return good("lock.port", "a server takes a free port")
    with closing(socket.socket(socket.AF_INET6 if ":" in config.host else socket.AF_INET)) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((config.host, config.port))
        except OSError as error:
            told = f"{config.host}:{config.port} cannot be listened at: {error.strerror}"
            return warning("lock.port", told, "set another `port`, or stop who has it: ss -ltnp", port=config.port)
    return good("lock.port", f"{config.host}:{config.port} is free", port=config.port)
