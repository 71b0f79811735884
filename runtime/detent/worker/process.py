"""What makes a process a worker: the project's settings and tasks, then a `Worker` that lives.

The two steps are apart, so that a fork server takes the first one once for many workers.
"""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import msgspec

from ..broker import is_server
from ..config import Config, load_config
from ..engine import failpoints
from ..errors import ConfigError, ServerUnreachable
from ..model.machine import MACHINES
from ..model.manifest import Manifest
from ..process_logs import format_of_logs
from ..sdk.task import Task
from .capture import capture
from .cell_life import CellLife
from .child import WRONG_SETTINGS
from .confinement import confine
from .discovery import discover
from .fork_server import ForkServer
from .life import NO_ENGINE, Life, end
from .link import SocketLink
from .manifest import make_manifest
from .object_place import object_place
from .options import WorkerOptions, replay_mode
from .secrets import RedactingFormatter, RedactingJsonFormatter, learn
from .variables import take_variables
from .worker import Worker

__all__ = ["Prepared", "arguments_of", "born", "prepare", "serve"]

T = TypeVar("T")

logger = logging.getLogger("detent.worker")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A project whose tasks are imported. Nothing of it is open or running."""

    config: Config
    manifest: Manifest
    tasks: list[Task[Any, Any]]


def arguments_of(argv: Sequence[str]) -> argparse.Namespace:
    """The arguments of a worker process."""
    parser = argparse.ArgumentParser(prog="python -m detent.worker")
    parser.add_argument("--project", required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--worker-id")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--async-limit", type=int)
    parser.add_argument("--echo", action="store_true")
    parser.add_argument("--parent", help="the worker whose cell this is")
    parser.add_argument("--machine", help="the preset that limits this process")
    parser.add_argument("--env", help="the id of the environment whose runs it executes")
    parser.add_argument("--offer", action="append", help="a preset or label whose runs it takes; all when left out")
    parser.add_argument("--queue", action="append", help="a queue whose runs it takes; all when left out")
    parser.add_argument(
        "--api-url", help="of the server far away that its objects go to; its key is in the environment"
    )
    parser.add_argument("--environment", help="the name of that environment")
    parser.add_argument("--version", help="the deployed version that its code is; none for code that was not deployed")
    return parser.parse_args(argv)


def born(options: argparse.Namespace) -> Life:
    """The life of this process, which is held to its machine from here on. To be called before it has threads."""
    if options.machine in MACHINES:
        confine(MACHINES[options.machine])
    return Life() if options.parent is None else CellLife()


def prepare(project: str, socket_path: str | None = None, env: str | None = None) -> Prepared:
    """Read the settings of a project, take the variables of its environment, and import its tasks.

    Parameters:
      socket_path: of the engine that has the variables; None where whoever started this process has taken them.
      env: the id of the environment; the engine's own when None.

    Ends the process when the settings cannot be used, or no engine answers.
    """
    faulthandler.enable()
    config = _read(lambda: load_config(Path(project)))
    handler = logging.StreamHandler(sys.stderr)
    chosen = format_of_logs()
    lines = RedactingFormatter("%(levelname)s %(name)s: %(message)s")
    handler.setFormatter(RedactingJsonFormatter() if chosen == "json" else lines)
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    if socket_path is not None:
        _read(failpoints.arm)  # wrong ones are refused before anybody is asked
    try:
        secret = _read(lambda: take_variables(config.root, socket_path, env))
    except ServerUnreachable as error:
        logger.error("%s", error)  # noqa: TRY400  # it is meant for a person
        end(NO_ENGINE)
    learn(secret, config)
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    found = discover(config)
    manifest, tasks = make_manifest(found.tasks, found.problems, config)
    return Prepared(config, manifest, tasks)


def serve(prepared: Prepared, options: argparse.Namespace, life: Life) -> NoReturn:
    """Be a worker until the parent says so, or is gone."""
    # Not before: a fork server takes none, and what it forks has variables of its own.
    _read(failpoints.arm)
    config = prepared.config
    is_cell = options.parent is not None
    shared = ["--echo"] if options.echo else []
    if options.env is not None:
        shared += ["--env", options.env, "--environment", options.environment or options.env]
    if options.version is not None:
        shared += ["--version", options.version]
    capture(getattr(logging, config.log_level.upper(), logging.INFO), echo=options.echo)
    if options.api_url is not None:
        shared += ["--api-url", options.api_url]
    put_object, get_object = _read(lambda: object_place(config, options.api_url, options.env))
    worker: Worker
    link = SocketLink(options.socket, lambda cause: worker.abandon(cause))  # noqa: PLW0108  # it is made after the link
    worker = Worker(
        link,
        prepared.tasks,
        msgspec.structs.replace(prepared.manifest, version=options.version),
        WorkerOptions(
            threads=0 if is_cell else options.threads or config.worker.threads,
            async_limit=0 if is_cell else options.async_limit or config.worker.async_limit,
            retry=config.retries,
            max_duration_ms=None if config.max_duration is None else int(config.max_duration * 1000),
            poll_s=None if is_cell or os.environ.get("DETENT_POLL") == "off" else WorkerOptions.poll_s,
            drop_tickets=os.environ.get("DETENT_TICKETS") == "drop",
            replay=_read(replay_mode),
            stop_grace_s=config.worker.stop_grace,
            machine=config.machine,
            parent=options.parent,
            env=options.env,
            environment=options.environment,
            offers=None if options.offer is None else tuple(options.offer),
            queues=None if options.queue is None else tuple(options.queue),
            broker_url=config.broker_url if not is_cell and is_server(config.broker_url) else None,
        ),
        put_object=put_object,
        get_object=get_object,
        worker_id=options.worker_id,
        fork_server=None if is_cell else partial(ForkServer, config.root, options.socket, shared),
    )
    life.live(worker)


def _read(settings: Callable[[], T]) -> T:
    """Read settings; the process ends when they cannot be used."""
    try:
        return settings()
    except ConfigError as error:
        sys.stderr.write(f"problem: {error}\n")
        end(WRONG_SETTINGS)
