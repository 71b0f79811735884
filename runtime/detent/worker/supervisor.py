"""The parent of worker processes: starts them, sees their end at once, starts them anew."""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from ..model.ids import new_id
from .child import WRONG_SETTINGS, Child
from .exit_cause import cause_of

__all__ = ["GRACE_S", "OnExit", "Supervisor"]

logger = logging.getLogger("detent.worker")

#: A worker that ends before it could take runs is started again after a growing pause, in seconds.
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
#: Before another try with settings that cannot be used: they change when a person mends them.
_SETTINGS_PAUSE_S = 30.0
#: How long a worker may finish what it executes when it is stopped or replaced, in seconds.
GRACE_S = 20.0


class OnExit(Protocol):
    """Told that a worker process has ended, and why. `stopped`: it was asked to, so no run is to blame."""

    def __call__(self, worker_id: str, cause: str, stopped: bool) -> None: ...


class Supervisor:
    """Keeps `count` worker processes of a project running.

    Parameters:
      root: the project's folder. `socket_path`: of the engine.
      on_exit: called for every process that has ended, whatever the reason.
      arguments: further arguments of ``python -m detent.worker``.
      python: the interpreter; this process's own when None. `variables`: see `Child`.
    """

    def __init__(
        self,
        root: Path,
        socket_path: str,
        count: int,
        on_exit: OnExit,
        arguments: list[str] | None = None,
        *,
        python: Path | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> None:
        self._root = root
        self._socket_path = socket_path
        self._count = count
        self._on_exit = on_exit
        self._arguments = arguments or []
        self._python = str(python or sys.executable)
        self._variables = variables
        self._lock = threading.Lock()
        self._children: list[Child] = []
        self._keepers: list[threading.Thread] = []
        #: Set when the present generation of workers is to end.
        self._over = threading.Event()
        self._stopping = False

    def start(self) -> None:
        with self._lock:
            self._begin()

    def pids(self) -> list[int]:
        """The process numbers of the workers that are there and not being replaced."""
        with self._lock:
            return [child.pid for child in self._children if not child.leaving]

    def reload(self) -> None:
        """Start new processes on the code as it is now; the old ones finish what they execute and leave."""
        with self._lock:
            if self._stopping:
                return
            self._over.set()
            for child in self._children:
                if not child.leaving:
                    child.leave(GRACE_S)
            self._begin()

    def stop(self, grace_s: float = GRACE_S, hurry: threading.Event | None = None) -> None:
        """Let the workers finish for `grace_s` seconds, then end them; at once when `hurry` is set meanwhile.

        No process is left behind, and the end of each has been told.
        """
        with self._lock:
            self._stopping = True
            self._over.set()
            children = list(self._children)
            keepers = list(self._keepers)
            for child in children:
                child.leave(grace_s)
        for child in children:
            while not child.ended.wait(0.02):
                if hurry is not None and hurry.is_set():
                    child.kill()
        for keeper in keepers:
            keeper.join()

    def _begin(self) -> None:
        self._over = threading.Event()
        self._keepers = [keeper for keeper in self._keepers if keeper.is_alive()]
        for _ in range(self._count):
            keeper = threading.Thread(target=self._keep, args=(self._over,), name="detent-supervisor", daemon=True)
            self._keepers.append(keeper)
            keeper.start()

    def _keep(self, over: threading.Event) -> None:
        """Keep one worker of a generation running until the generation is over."""
        pause = 0.0
        while not over.wait(pause):
            try:
                child = self._spawn(over)
            except OSError as error:
                logger.warning("a worker process cannot be started: %s; it is tried again", error)
                pause = _longer(pause)
                continue
            if child is None:
                return
            pause = self._watch(child, pause)

    def _spawn(self, over: threading.Event) -> Child | None:
        with self._lock:
            if over.is_set():
                return None
            worker_id = new_id("worker")
            child = Child(self._command(worker_id), self._root, worker_id, self._variables)
            self._children.append(child)
            return child

    def _watch(self, child: Child, pause: float) -> float:
        """Wait for its end and tell of it. The pause before the next one, in seconds, after `pause` before it."""
        code = child.wait()
        ready = child.was_ready()
        child.close()
        with self._lock:
            self._children.remove(child)
        cause = cause_of(code)
        wrong_settings = code == WRONG_SETTINGS and not ready
        if wrong_settings:
            logger.warning("no worker starts with these settings; it is tried again in %g s", _SETTINGS_PAUSE_S)
        elif not child.leaving:
            logger.warning("a worker process ended (%s); another is started", cause)
        try:
            self._on_exit(child.worker_id, cause, child.stopped_by_us(code))
        except Exception:
            logger.exception("the end of worker %s could not be told", child.worker_id)
        if wrong_settings:
            return _SETTINGS_PAUSE_S
        return 0.0 if ready else _longer(pause)

    def _command(self, worker_id: str) -> list[str]:
        return [
            self._python,
            "-m",
            "detent.worker",
            "--project",
            str(self._root),
            "--socket",
            self._socket_path,
            "--worker-id",
            worker_id,
            *self._arguments,
        ]


def _longer(pause: float) -> float:
    return min(max(_FIRST_PAUSE_S, pause * 2), _LONGEST_PAUSE_S)
