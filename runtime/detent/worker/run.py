"""`detent worker`: worker processes alone, for a server that runs elsewhere on this machine."""

from __future__ import annotations

import signal
import threading
from types import FrameType

from ..config import Config
from ..embedded import running_server
from ..errors import ServerUnreachable
from .supervisor import GRACE_S, Supervisor

__all__ = ["run_workers"]


def run_workers(
    config: Config,
    *,
    processes: int | None = None,
    threads: int | None = None,
    async_limit: int | None = None,
) -> int:
    """Run workers until SIGINT or SIGTERM, then let them finish what they execute. The exit status.

    Errors: `ServerUnreachable` when no server of the project is running.
    """
    server = running_server(config.state_dir)
    if server is None or server.socket is None:
        raise ServerUnreachable(
            f"no detent server is running for {config.root}; start one with `detent server`, "
            "or server and workers together with `detent dev`"
        )
    sizes = [*(["--threads", str(threads)] if threads else []), *(["--async-limit", str(async_limit)] if async_limit else [])]
    # The server itself sees the end of a worker of its host: its connection closes and its process is gone.
    supervisor = Supervisor(
        config.root, server.socket, processes or config.worker.processes, lambda _worker, _cause: None, sizes
    )
    stop = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGINT, on_signal)
    signal.signal(signal.SIGTERM, on_signal)
    supervisor.start()
    stop.wait()
    supervisor.stop(GRACE_S)
    return 0
