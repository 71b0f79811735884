"""A worker process: ``python -m detent.worker``, started and watched by a `Supervisor`."""

from __future__ import annotations

import argparse
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import NoReturn

from ..config import load_config
from ..errors import DetentError
from ..objects import open_store
from .capture import capture
from .discovery import discover
from .link import SocketLink
from .manifest import make_manifest
from .worker import Worker, WorkerOptions

logger = logging.getLogger("detent.worker")

#: How long runs may go on after SIGTERM, in seconds.
_TERM_GRACE_S = 20.0


def main() -> NoReturn:
    """Run until the parent says so, or is gone."""
    options = _arguments()
    config = load_config(Path(options.project))
    logging.basicConfig(stream=sys.stderr, format="%(levelname)s %(name)s: %(message)s", level=logging.WARNING)
    logging.getLogger("dramatiq").setLevel(logging.WARNING)
    capture(getattr(logging, config.log_level.upper(), logging.INFO), echo=options.echo)
    found = discover(config)
    manifest, tasks = make_manifest(found.tasks, found.problems, config)
    objects = open_store(config.object_store_url)

    def put_object(key: str, text: str) -> str:
        objects.put(key, text.encode())
        return key

    worker: Worker
    link = SocketLink(options.socket, lambda cause: worker.abandon(cause))
    worker = Worker(
        link,
        tasks,
        manifest,
        WorkerOptions(
            threads=options.threads or config.worker.threads,
            async_limit=options.async_limit or config.worker.async_limit,
            retry=config.retries,
            max_duration_ms=None if config.max_duration is None else int(config.max_duration * 1000),
            poll_s=None if os.environ.get("DETENT_POLL") == "off" else WorkerOptions.poll_s,
            drop_tickets=os.environ.get("DETENT_TICKETS") == "drop",
        ),
        put_object=put_object,
        get_object=lambda key: objects.get(key).decode(),
        worker_id=options.worker_id,
    )
    leaving = threading.Event()

    def leave(grace_s: float) -> None:
        if leaving.is_set():
            return
        leaving.set()
        threading.Thread(target=_leave, args=(worker, grace_s), name="detent-leave").start()

    signal.signal(signal.SIGTERM, lambda *_: leave(_TERM_GRACE_S))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        worker.start()
    except DetentError as error:
        logger.error("%s", error)
        os._exit(69)
    # The parent speaks on standard input; its end is ours.
    for line in sys.stdin:
        word, _, grace = line.strip().partition(" ")
        if word == "drain":
            leave(float(grace or 0))
    os._exit(0)


def _leave(worker: Worker, grace_s: float) -> None:
    try:
        worker.drain(grace_s)
    finally:
        # Not sys.exit: parked frames and user threads must not hold the process back.
        sys.stderr.flush()
        os._exit(0)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m detent.worker")
    parser.add_argument("--project", required=True)
    parser.add_argument("--socket", required=True)
    parser.add_argument("--worker-id")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--async-limit", type=int)
    parser.add_argument("--echo", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
