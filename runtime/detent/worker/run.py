"""`detent worker`: worker processes alone, for a server that runs elsewhere on this machine."""

from __future__ import annotations

import logging
import socket
from contextlib import closing
from functools import partial

import msgspec

from ..config import Config
from ..embedded import EmbeddedTransport, RunningServer, running_server
from ..engine import failpoints
from ..errors import ServerUnreachable
from ..model.framing import FrameReader, send_frame
from ..model.protocol import Gone, ToEngine
from ..open_servers import refuse_open_servers
from .kind import Kind
from .local_code import warn_of_versions
from .stop_signals import StopSignals
from .supervisor import GRACE_S, Supervisor

__all__ = ["NO_SERVER", "run_workers", "serving", "tell_end"]

logger = logging.getLogger("detent.worker")

NO_SERVER = (
    "no detent server is running for {root}; start one with `detent server`, or server and workers together with "
    "`detent dev`"
)
#: How long the server may take to hear of the end of a worker, in seconds.
_TELL_S = 5.0


def run_workers(
    config: Config,
    kind: Kind | None = None,
    *,
    environment: str | None = None,
) -> int:
    """Run workers until SIGINT or SIGTERM, then let them finish what they execute. The exit status.

    Parameters:
      kind: of the workers; as the settings say when None.
      environment: whose runs they execute, such as ``staging``; that of the settings when None, else ``dev``.

    While the server is away they keep what they execute and what is parked, and find it again when it is back.

    Errors: `ServerUnreachable` when no server of the project is running, `ConfigError` for a wrong fail point,
    `NotFound` for an environment that is not there.
    """
    failpoints.arm()
    environment = environment or config.environment
    kind = kind or Kind()
    sizes = kind.arguments(config.worker)
    processes = kind.count(config.worker)
    if config.database_path is None:
        refuse_open_servers(config)
        return _run_with_database(config, processes, sizes, environment)
    server = running_server(config.state_dir)
    if server is None or server.socket is None:
        raise ServerUnreachable(NO_SERVER.format(root=config.root))
    arguments = [*sizes, *serving(server, config.project_slug, environment, is_local=True)]
    _supervise(Supervisor(config.root, server.socket, processes, partial(tell_end, server.socket), arguments))
    return 0


def _run_with_database(config: Config, processes: int, sizes: list[str], environment: str | None) -> int:
    """Workers with an engine of their own on the database that several machines share."""
    from ..server.host import Host

    host = Host(config, sync="FULL", listens=False)
    host.start()
    try:
        arguments = sizes
        if environment is not None or config.project_slug is not None:
            there = host.accounts.owner(environment, config.project_slug)
            warn_of_versions(EmbeddedTransport(host.operations.in_env(there.env)))
            arguments = [*sizes, "--env", there.env, "--environment", environment or there.env]
        _supervise(Supervisor(config.root, host.socket_path, processes, host.worker_exited, arguments))
    finally:
        host.stop()
    return 0


def _supervise(supervisor: Supervisor) -> None:
    """Until a signal asks for the end."""
    signals = StopSignals()
    supervisor.start()
    signals.first.wait()
    supervisor.stop(GRACE_S, hurry=signals.second)


def serving(
    server: RunningServer, project: str | None, environment: str | None, *, is_local: bool = False
) -> list[str]:
    """The arguments of workers that serve an environment. Errors: `NotFound`.

    `is_local`: they run the code of a folder.
    """
    if environment is None and project is None:
        return []
    from ..client.http import HttpTransport

    transport = HttpTransport(server.url, server.key, project=project, environment=environment)
    try:
        name = transport.call("auth.whoami")["environment"]
        known = transport.call("environments.list")["items"]
        if is_local:
            warn_of_versions(transport)
    finally:
        transport.close()
    return ["--env", next(env["id"] for env in known if env["name"] == name), "--environment", name]


def tell_end(path: str, worker_id: str, cause: str, stopped: bool) -> None:
    """Tell the server of the end of a worker, as its parent does. If it is away, it sees for itself when it is back.

    Parameters:
      path: of the engine's socket. `cause`: in words. `stopped`: it was asked to end.
    """
    try:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as connection:
            connection.settimeout(_TELL_S)
            connection.connect(path)
            gone = Gone(worker_id, cause, stopped)
            if failpoints.armed is not None:
                failpoints.armed.sending([gone])
            send_frame(connection, msgspec.json.encode(ToEngine(1, [gone])))
            FrameReader(connection).read()
            if failpoints.armed is not None:
                failpoints.armed.answered(gone, None)
    except OSError as error:
        logger.info("the server did not hear of the end of worker %s: %s", worker_id, error)
