"""A worker process from its start to its end, which its parent or a signal may ask for at any moment."""

from __future__ import annotations

import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import NoReturn

from ..errors import DetentError
from .worker import Worker

__all__ = ["NO_ENGINE", "Life", "end"]

logger = logging.getLogger("detent.worker")

#: How long runs may go on after SIGTERM, in seconds.
_TERM_GRACE_S = 20.0
#: The exit code of a worker that found no engine.
NO_ENGINE = 69


class Life:
    """The end of a worker process, and its talk with its parent.

    The parent speaks on standard input. Runs and what they start find it empty instead.
    """

    def __init__(self) -> None:
        self._leaving = threading.Event()
        #: How long what executes may go on once the end was asked for, in seconds.
        self.grace_s = 0.0
        self._control = os.dup(0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        signal.signal(signal.SIGTERM, lambda *_: self.on_term())
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        threading.Thread(target=self._listen, name="detent-control", daemon=True).start()

    def live(self, worker: Worker) -> NoReturn:
        """Take runs until the end is asked for, then drain."""
        self.begin(worker)
        self._leaving.wait()
        try:
            worker.drain(self.grace_s)
        finally:
            end(0)

    def begin(self, worker: Worker) -> None:
        """Start the worker, and say so."""
        if self._leaving.is_set():
            end(0)
        try:
            worker.start()
        except DetentError as error:
            logger.error("%s", error)  # noqa: TRY400  # it is meant for a person
            end(NO_ENGINE)
        self.say("ready")

    def is_leaving(self) -> bool:
        """Whether the end was asked for."""
        return self._leaving.is_set()

    def say(self, word: str) -> None:
        """Tell the parent, if it is there."""
        with suppress(OSError):
            os.write(self._control, f"{word}\n".encode())

    def leave(self, grace_s: float) -> None:
        """End once what executes has finished, at the latest after `grace_s` seconds."""
        if not self._leaving.is_set():
            self.grace_s = grace_s
            self._leaving.set()

    def on_term(self) -> None:
        """SIGTERM: somebody stops the services of this machine."""
        self.leave(_TERM_GRACE_S)

    def heard(self, word: str, rest: str) -> None:
        """The parent has said a word."""
        if word == "drain":
            self.leave(float(rest or 0))

    def _listen(self) -> None:
        with suppress(OSError), open(self._control, "rb", closefd=False) as words:
            for line in words:
                word, _, rest = line.decode().strip().partition(" ")
                self.heard(word, rest)
        # The parent is gone. What the runs have started must not outlive them.
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        end(0)


def end(code: int) -> NoReturn:
    """Not ``sys.exit``: parked frames and threads of users must not hold the process back."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)
