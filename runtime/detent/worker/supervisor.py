"""The parent of worker processes: starts them, sees their end at once, starts them anew."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from ..model.ids import new_id

__all__ = ["Supervisor"]

logger = logging.getLogger("detent.worker")

#: A worker that ends within this many seconds of its start is started again with a growing pause.
_SETTLED_S = 5.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 5.0
#: How long a worker may finish what it executes when it is stopped or replaced, in seconds.
GRACE_S = 20.0


class Supervisor:
    """Keeps `count` worker processes of a project running.

    Parameters:
      root: the project's folder. `socket_path`: of the engine.
      arguments: further arguments of ``python -m detent.worker``.
      on_exit: told worker id and cause when a process has ended, whatever the reason.
    """

    def __init__(
        self,
        root: Path,
        socket_path: str,
        count: int,
        on_exit: Callable[[str, str], None],
        arguments: list[str] | None = None,
    ) -> None:
        self._root = root
        self._socket_path = socket_path
        self._count = count
        self._on_exit = on_exit
        self._arguments = arguments or []
        self._lock = threading.Lock()
        self._children: list[_Child] = []
        self._stopping = False

    def start(self) -> None:
        for _ in range(self._count):
            self._spawn()

    def pids(self) -> list[int]:
        """The process numbers of the workers that are not being replaced."""
        with self._lock:
            return [child.process.pid for child in self._children if not child.leaving]

    def reload(self) -> None:
        """Start new processes on the code as it is now; the old ones finish what they execute and leave."""
        with self._lock:
            old = [child for child in self._children if not child.leaving]
        for child in old:
            child.leave(GRACE_S)
        for _ in range(self._count):
            self._spawn()

    def stop(self, grace_s: float = GRACE_S, hurry: threading.Event | None = None) -> None:
        """Let the workers finish for `grace_s` seconds, then end them; at once when `hurry` is set meanwhile. No
        process is left behind."""
        with self._lock:
            self._stopping = True
            children = list(self._children)
        for child in children:
            child.leave(grace_s)
        ends = time.monotonic() + grace_s + 2.0
        for child in children:
            child.end_by(ends, hurry or threading.Event())

    def _spawn(self, pause_s: float = 0.0) -> None:
        with self._lock:
            if self._stopping:
                return
            child = _Child(self._command(worker_id := new_id("worker")), self._root, worker_id)
            self._children.append(child)
        threading.Thread(
            target=self._watch, args=(child, pause_s), name="detent-supervisor", daemon=True
        ).start()

    def _command(self, worker_id: str) -> list[str]:
        return [
            sys.executable,
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

    def _watch(self, child: _Child, pause_s: float) -> None:
        code = child.process.wait()
        cause = _cause(code)
        with self._lock:
            self._children.remove(child)
            again = not self._stopping and not child.leaving
        self._on_exit(child.worker_id, cause)
        if not again:
            return
        logger.warning("a worker process ended (%s); another is started", cause)
        settled = time.monotonic() - child.started_at > _SETTLED_S
        pause_s = 0.0 if settled or not pause_s and code < 0 else min(max(_FIRST_PAUSE_S, pause_s * 2), _LONGEST_PAUSE_S)
        threading.Event().wait(pause_s)
        self._spawn(max(pause_s, 0.0 if settled else _FIRST_PAUSE_S))


class _Child:
    """One worker process. It ends by itself when the pipe to its parent closes."""

    def __init__(self, command: list[str], root: Path, worker_id: str) -> None:
        self.worker_id = worker_id
        self.leaving = False
        self.started_at = time.monotonic()
        # A session of its own: Ctrl-C in the terminal is for the parent, which stops its children in order.
        self.process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
            command, stdin=subprocess.PIPE, cwd=root, start_new_session=True, env=os.environ.copy()
        )

    def leave(self, grace_s: float) -> None:
        """Ask it to drain and end."""
        self.leaving = True
        pipe = self.process.stdin
        assert pipe is not None
        try:
            pipe.write(f"drain {grace_s}\n".encode())
            pipe.flush()
        except (BrokenPipeError, ValueError):
            pass

    def end_by(self, moment: float, hurry: threading.Event) -> None:
        while self.process.poll() is None and time.monotonic() < moment and not hurry.is_set():
            hurry.wait(0.02)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if self.process.stdin is not None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass


def _cause(code: int) -> str:
    if code < 0:
        try:
            return f"killed by {signal.Signals(-code).name}"
        except ValueError:
            return f"killed by signal {-code}"
    return f"exit code {code}"
