"""Engine and workers for as long as a block of code needs them."""

from __future__ import annotations

import threading
import time
from types import TracebackType

from ..config import Config
from ..embedded import EmbeddedTransport, running_server
from ..errors import DetentError
from ..model.transport import Transport
from ..server.host import Host
from ..worker.supervisor import Supervisor

__all__ = ["LocalService"]

_START_S = 30.0


class LocalService:
    """``with LocalService(config) as service: service.transport ...``

    A server that already runs for the project is used as it is; else an engine is started in this process, with
    `processes` workers, and stopped at the end of the block.

    Parameters:
      config: the project's settings. `grace_s`: how long runs may finish at the end, in seconds.
    """

    def __init__(self, config: Config, *, processes: int = 1, grace_s: float = 2.0) -> None:
        self._config = config
        self._processes = processes
        self._grace_s = grace_s
        self.host: Host | None = None
        self.supervisor: Supervisor | None = None
        self.transport: Transport

    def __enter__(self) -> LocalService:
        server = running_server(self._config.state_dir)
        if server is not None:
            from ..client.http import HttpTransport

            self.transport = HttpTransport(server.url, server.key)
            return self
        self.host = Host(self._config, host="127.0.0.1", port=0)
        self.host.start()
        try:
            self.supervisor = Supervisor(
                self._config.root, self.host.socket_path, self._processes, self.host.worker_exited
            )
            self.supervisor.start()
            self._await_workers(self.host)
        except BaseException:
            self._stop()
            raise
        self.transport = EmbeddedTransport(self.host.operations)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        if self.supervisor is not None:
            self.supervisor.stop(self._grace_s)
        if self.host is not None:
            self.host.stop()

    def _await_workers(self, host: Host) -> None:
        """Until a worker has said hello, so that unknown tasks are told apart from those not loaded yet."""
        changed = threading.Event()
        host.engine.listeners.append(changed.set)
        ends = time.monotonic() + _START_S
        while not host.engine.sessions.of_env(host.engine.env):
            changed.clear()
            if time.monotonic() > ends:
                raise DetentError(f"no worker came up within {_START_S:g} s; its messages are above")
            changed.wait(0.05)
        host.engine.listeners.remove(changed.set)
