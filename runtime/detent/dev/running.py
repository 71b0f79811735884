"""`detent dev` and `detent server`: start the parts, show what happens, stop everything on Ctrl-C."""

from __future__ import annotations

import logging
import os
import threading

from ..config import Config
from ..open_servers import refuse_open_servers
from ..server.addresses import Reach
from ..server.beside import Beside
from ..server.host import Host
from ..worker.stop_signals import StopSignals
from ..worker.supervisor import Supervisor
from .reload import Reloader
from .view import View

__all__ = ["run_dev", "run_server"]

logger = logging.getLogger("detent.server")

#: How long runs may finish after Ctrl-C, in seconds.
_DEV_GRACE_S = 3.0
#: The exit status after a second signal.
_ENDED_AT_ONCE = 130


def run_dev(
    config: Config,
    *,
    host: str | None = None,
    port: int | None = None,
    processes: int | None = None,
    threads: int | None = None,
    async_limit: int | None = None,
    reload: bool = True,
    json: bool = False,
    mcp: Beside | None = None,
) -> int:
    """Server and workers of a project, with reload on file changes and a view of the runs. The exit status.

    Parameters:
      mcp: what is served at ``/mcp``.

    Errors: `ProjectLocked` when a server of the project is running already, `ConfigError` for a busy port.
    """
    signals = StopSignals()
    # A receiver of webhooks that is being developed runs on the same machine.
    held = Host(config, host=host, port=port, reach=Reach.LOOPBACK, mcp=mcp)
    url = held.start()
    try:
        supervisor = Supervisor(
            config.root,
            held.socket_path,
            processes or config.worker.processes,
            held.worker_exited,
            ["--echo", *_sizes(threads, async_limit)],
        )
        view = View(held.engine, config, url, json=json)
        reloader = Reloader(config, supervisor.reload, view.say, view.tell_problem) if reload else None
        try:
            view.start()
            supervisor.start()
            if reloader is not None:
                reloader.start()
            signals.first.wait()
            view.say("stopping; Ctrl-C again to stop at once")
        finally:
            if reloader is not None:
                reloader.stop()
            supervisor.stop(_DEV_GRACE_S, hurry=signals.second)
            view.stop()
    finally:
        held.stop()
    return 0


def run_server(
    config: Config,
    *,
    host: str | None = None,
    port: int | None = None,
    json: bool = False,
    view: bool = True,
    mcp: Beside | None = None,
) -> int:
    """The API and the engine's loops of a project, without workers. The exit status.

    Parameters:
      json: of the view, as in `run_dev`. `view`: show the runs on standard output; else only what is logged.
      mcp: what is served at ``/mcp``.

    A first SIGTERM or SIGINT lets requests under way end, a second one ends the process at once. Errors: as `run_dev`.
    """
    signals = StopSignals()
    refuse_open_servers(config)
    held = Host(config, host=host, port=port, sync="FULL", mcp=mcp)
    url = held.start()
    threading.Thread(target=_end_at_once, args=(signals,), name="detent-second-signal", daemon=True).start()
    try:
        shown = View(held.engine, config, url, json=json) if view else None
        if shown is not None:
            shown.start()
        logger.info("serving %s at %s", config.project, url)
        signals.first.wait()
        logger.info("stopping; requests under way may end")
        if shown is not None:
            shown.stop()
    finally:
        held.stop()
    return 0


def _end_at_once(signals: StopSignals) -> None:
    signals.second.wait()
    os._exit(_ENDED_AT_ONCE)


def _sizes(threads: int | None, async_limit: int | None) -> list[str]:
    sizes: list[str] = []
    if threads is not None:
        sizes += ["--threads", str(threads)]
    if async_limit is not None:
        sizes += ["--async-limit", str(async_limit)]
    return sizes
