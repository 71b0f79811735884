"""How workers of this machine, and their supervisor, reach the engine: a server here, one far away, or a database."""

from __future__ import annotations

from typing import Protocol

from ..config import Config
from ..embedded import EmbeddedTransport, RunningServer, running_server
from ..errors import DetentError, ServerUnreachable
from ..model.transport import Transport
from .link_http import LinkHttp
from .relay import Relay
from .run import NO_SERVER, serving, tell_end
from .supervisor import OnExit

__all__ = ["Far", "Near", "Own", "Way"]

#: How long a server may take to answer a supervisor, who asks again in a moment, in seconds.
_ANSWER_S = 10.0


class Way(Protocol):
    """To the engine, for one environment."""

    #: The name of the environment.
    environment: str
    #: Where workers connect.
    socket_path: str
    #: Further arguments of ``python -m detent.worker``.
    arguments: list[str]
    on_exit: OnExit
    #: What ends the supervisor, if it is set: the server wants nothing to do with it any more.
    refusal: DetentError | None

    def open(self) -> None:
        """Errors: `NotFound` for an environment that is not there; `ServerUnreachable` and those of the server."""

    def transport(self) -> Transport:
        """Errors: `ServerUnreachable`, where there is none at the moment."""
        ...

    def close(self) -> None: ...


class Near:
    """The running server of a project on this machine."""

    def __init__(self, config: Config, environment: str) -> None:
        self._config = config
        self._server: RunningServer | None = None
        self._transport: Transport | None = None
        self.environment = environment
        self.socket_path = ""
        self.arguments: list[str] = []
        self.on_exit: OnExit = self._tell_end
        self.refusal: DetentError | None = None

    def open(self) -> None:
        """See `Way.open`."""
        server = self._running()
        self.arguments = serving(server, self._config.project_slug, self.environment)
        self.socket_path = server.socket or ""

    def transport(self) -> Transport:
        """See `Way.transport`. A server that was started anew has another address and another key."""
        server = self._running()
        if self._transport is None or server != self._server:
            from ..client.http import HttpTransport

            self.close()
            self._server = server
            self._transport = HttpTransport(
                server.url,
                server.key,
                project=self._config.project_slug,
                environment=self.environment,
                timeout=_ANSWER_S,
                max_retries=0,
            )
        return self._transport

    def close(self) -> None:
        """See `Way`."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _running(self) -> RunningServer:
        server = running_server(self._config.state_dir)
        if server is None or server.socket is None:
            raise ServerUnreachable(NO_SERVER.format(root=self._config.root))
        return server

    def _tell_end(self, worker_id: str, cause: str, stopped: bool) -> None:
        tell_end(self.socket_path, worker_id, cause, stopped)


class Far:
    """A server anywhere, over HTTP with a key."""

    def __init__(self, url: str, key: str | None, project: str | None, environment: str | None) -> None:
        from ..client.http import HttpTransport

        self._url = url
        self._relay = Relay(LinkHttp(url, key, project=project, environment=environment), self._refused)
        self._transport = HttpTransport(
            url, key, project=project, environment=environment, timeout=_ANSWER_S, max_retries=0
        )
        self.environment = environment or ""
        self.socket_path = ""
        self.arguments: list[str] = []
        self.on_exit: OnExit = self._tell_end
        self.refusal: DetentError | None = None

    def open(self) -> None:
        """See `Way.open`."""
        made = self._relay.start()
        self.environment, self.socket_path = made.environment, self._relay.socket_path
        self.arguments = ["--env", made.env, "--environment", made.environment, "--api-url", self._url]

    def transport(self) -> Transport:
        """See `Way.transport`."""
        return self._transport

    def close(self) -> None:
        """See `Way`."""
        self._relay.stop()
        self._transport.close()

    def _refused(self, error: DetentError) -> None:
        self.refusal = error

    def _tell_end(self, worker_id: str, cause: str, stopped: bool) -> None:
        tell_end(self.socket_path, worker_id, cause, stopped)


class Own:
    """An engine of this process, on the database that several machines share."""

    def __init__(self, config: Config, environment: str) -> None:
        from ..server.host import Host

        self._config = config
        self._host = Host(config, sync="FULL", listens=False)
        self._env = ""
        self.environment = environment
        self.socket_path = ""
        self.arguments: list[str] = []
        self.on_exit: OnExit = self._host.worker_exited
        self.refusal: DetentError | None = None

    def open(self) -> None:
        """See `Way.open`."""
        self._host.start()
        try:
            there = self._host.accounts.owner(self.environment, self._config.project_slug)
        except BaseException:
            self._host.stop()
            raise
        self.socket_path = self._host.socket_path
        self.arguments = ["--env", there.env, "--environment", self.environment]
        self._env = there.env

    def transport(self) -> Transport:
        """See `Way.transport`."""
        return EmbeddedTransport(self._host.operations.in_env(self._env))

    def close(self) -> None:
        """See `Way`."""
        self._host.stop()
