"""One worker process as its parent sees it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from .variables import own_environment

__all__ = ["WRONG_SETTINGS", "Child"]

#: The exit code of a worker that cannot use the settings of its project.
WRONG_SETTINGS = 78

#: A worker that was asked to leave is killed when it takes this much longer than its grace, in seconds.
_OVERTIME_S = 2.0


class Child:
    """A worker process, in a session of its own: Ctrl-C in the terminal is for its parent.

    A socket, the child's standard input, joins the two: the parent asks it to drain, the child says that it is
    ready, and ends when the other end closes, however the parent died.

    Parameters:
      command: of the process. `root`: its folder. `worker_id`: what it calls itself.
      variables: of its environment; those that a worker usually has when None.
    """

    def __init__(
        self, command: list[str], root: Path, worker_id: str, variables: Mapping[str, str] | None = None
    ) -> None:
        self.worker_id = worker_id
        self.leaving = False
        self.ended = threading.Event()
        self._killed = False
        self._reaping = threading.Lock()
        self._limit: threading.Timer | None = None
        self._control, theirs = socket.socketpair()
        self._control.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                command,
                stdin=theirs.fileno(),
                cwd=root,
                start_new_session=True,
                env=own_environment() if variables is None else variables,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def leave(self, grace_s: float) -> None:
        """Ask it to drain within `grace_s` seconds and to end; it is killed when it does not."""
        self.leaving = True
        with suppress(OSError):
            self._control.send(f"drain {grace_s}\n".encode())
        limit = threading.Timer(grace_s + _OVERTIME_S, self.kill)
        limit.daemon = True
        with self._reaping:
            if self.ended.is_set():
                return
            before, self._limit = self._limit, limit
            limit.start()
        if before is not None:
            before.cancel()

    def kill(self) -> None:
        """End it at once, with whatever its runs have started."""
        with self._reaping:
            if not self.ended.is_set():
                self._killed = True
                self._kill_group()

    def wait(self) -> int:
        """Block until it has ended; its exit code, negative for a signal. No process of its group is left."""
        if hasattr(os, "waitid"):
            # It is not reaped yet, so that its number cannot have become another's when its group is killed.
            os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOWAIT)
        else:
            self._process.wait()
        with self._reaping:
            self._kill_group()
            code = self._process.wait()
            self.ended.set()
            if self._limit is not None:
                self._limit.cancel()
        return code

    def was_ready(self) -> bool:
        """Whether it had got as far as to take runs. To be asked once, after its end."""
        try:
            return b"ready" in self._control.recv(64)
        except OSError:
            return False

    def close(self) -> None:
        self._control.close()

    def stopped_by_us(self, code: int) -> bool:
        """Whether it ended with `code` because its parent asked for it, and not by a fault of a run."""
        return self.leaving and (code == 0 or self._killed)

    def _kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
