"""A worker process: ``python -m detent.worker``, started and watched by a `Supervisor`."""

from __future__ import annotations

import argparse
import faulthandler
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from ..config import load_config
from ..errors import ConfigError, DetentError
from ..objects import open_store
from .capture import capture
from .child import WRONG_SETTINGS
from .discovery import discover
from .link import SocketLink
from .manifest import make_manifest
from .options import WorkerOptions
from .worker import Worker

logger = logging.getLogger("detent.worker")

#: How long runs may go on after SIGTERM, in seconds.
_TERM_GRACE_S = 20.0
#: The exit code of a worker that found no engine.
_NO_ENGINE = 69


def main() -> NoReturn:
    """Run until the parent says so, or is gone."""
    options = _arguments()
    life = _Life()
    faulthandler.enable()
    try:
        config = load_config(Path(options.project))
    except ConfigError as error:
        sys.stderr.write(f"problem: {error}\n")
        _end(WRONG_SETTINGS)
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
    link = SocketLink(options.socket, lambda cause: worker.abandon(cause))  # noqa: PLW0108  # it is made after the link
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
    life.live(worker)


class _Life:
    """From the start of the process to its end, which the parent or a signal may ask for at any moment.

    The parent speaks on standard input. Runs and what they start find it empty instead.
    """

    def __init__(self) -> None:
        self._leaving = threading.Event()
        self._grace_s = 0.0
        self._control = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        threading.Thread(target=self._listen, name="detent-control", daemon=True).start()
        signal.signal(signal.SIGTERM, lambda *_: self._leave(_TERM_GRACE_S))
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def live(self, worker: Worker) -> NoReturn:
        """Take runs until the end is asked for, then drain."""
        if self._leaving.is_set():
            _end(0)
        try:
            worker.start()
        except DetentError as error:
            logger.error("%s", error)  # noqa: TRY400  # it is meant for a person
            _end(_NO_ENGINE)
        with suppress(OSError):
            os.write(self._control, b"ready\n")
        self._leaving.wait()
        try:
            worker.drain(self._grace_s)
        finally:
            _end(0)

    def _leave(self, grace_s: float) -> None:
        if not self._leaving.is_set():
            self._grace_s = grace_s
            self._leaving.set()

    def _listen(self) -> None:
        with suppress(OSError), open(self._control, "rb", buffering=0, closefd=False) as words:
            for line in words:
                word, _, grace = line.decode().strip().partition(" ")
                if word == "drain":
                    self._leave(float(grace or 0))
        # The parent is gone. What the runs have started must not outlive them.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        _end(0)


def _end(code: int) -> NoReturn:
    """Not ``sys.exit``: parked frames and threads of users must not hold the process back."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


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
