"""Worker processes in some 20 ms each, forked from one that has imported the project's tasks."""

from __future__ import annotations

import itertools
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec

from .exit_cause import cause_of

__all__ = ["ForkServer", "Forked"]


class ForkServer:
    """Starts worker processes of one project. They end with it, and with whoever made it.

    The code of the tasks is that of the moment at which the server was made. Where importing it has started threads,
    which a fork would not copy, each process is a fresh interpreter instead.

    Parameters:
      root: the project's folder. `socket_path`: of the engine.
      arguments: further arguments of ``python -m detent.worker``, for every process.
    """

    def __init__(self, root: Path, socket_path: str, arguments: Sequence[str] = ()) -> None:
        self._arguments = ["--project", str(root), "--socket", socket_path, *arguments]
        self._numbers = itertools.count()
        self._lock = threading.Lock()
        self._started: dict[int, Future[int]] = {}
        self._forked: dict[int, Forked] = {}
        #: Ends of processes whose start has not been taken yet.
        self._early: dict[int, int] = {}
        self._socket, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603  # our own interpreter and module
                [sys.executable, "-m", "detent.worker.fork_loop", *self._arguments],
                stdin=theirs.fileno(),
                cwd=root,
                start_new_session=True,
            )
        self.ended = False
        self._reader = threading.Thread(target=self._read, name="detent-fork-server", daemon=True)
        self._reader.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def fork(self, worker_id: str, arguments: Sequence[str] = (), env: Mapping[str, str] | None = None) -> Forked:
        """A new worker process that calls itself `worker_id`; see `Forked.ready`.

        Parameters:
          arguments: further ones of ``python -m detent.worker``. env: variables to set in it.

        Errors: `OSError` when the server has ended or cannot start a process.
        """
        number = next(self._numbers)
        argv = [*self._arguments, "--worker-id", worker_id, *arguments]
        line = msgspec.json.encode({"id": number, "fork": argv, "env": dict(env or {})}) + b"\n"
        started: Future[int] = Future()
        ours, theirs = socket.socketpair()
        try:
            with theirs, self._lock:
                if self.ended:
                    raise BrokenPipeError(f"the fork server has ended ({cause_of(self._process.wait())})")
                self._started[number] = started
                socket.send_fds(self._socket, [line], [theirs.fileno()])
            pid = started.result()
        except BaseException:
            ours.close()
            raise
        forked = Forked(self, worker_id, pid, ours)
        with self._lock:
            code = self._early.pop(pid, -signal.SIGKILL if self.ended else None)
            if code is None:
                self._forked[pid] = forked
        if code is not None:
            forked.note_end(code)
        return forked

    def signal(self, pid: int, number: int) -> None:
        """Send a signal to a process and all of its group, unless it has ended."""
        with self._lock, suppress(OSError):
            self._socket.sendall(msgspec.json.encode({"pid": pid, "signal": int(number)}) + b"\n")

    def close(self) -> None:
        """Kill every process that it has forked, and end."""
        with self._lock:
            left = list(self._forked.values())
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.join()
        self._process.wait()
        self._socket.close()
        for forked in left:
            forked.wait()

    def __enter__(self) -> ForkServer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> None:
        with suppress(OSError), self._socket.makefile("rb") as lines:
            for line in lines:
                self._take(msgspec.json.decode(line))
        with self._lock:
            self.ended = True
            left = list(self._forked.values())
            waiting = list(self._started.values())
            self._forked.clear()
            self._started.clear()
        for started in waiting:
            started.set_exception(BrokenPipeError("the fork server has ended"))
        for forked in left:
            # It is killed with its server; where the system does not see to that, here.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(forked.pid, signal.SIGKILL)
            forked.note_end(-signal.SIGKILL)

    def _take(self, answer: dict[str, Any]) -> None:
        if "ended" in answer:
            with self._lock:
                forked = self._forked.pop(answer["ended"], None)
                if forked is None:
                    self._early[answer["ended"]] = answer["code"]
            if forked is not None:
                forked.note_end(answer["code"])
            return
        with self._lock:
            started = self._started.pop(answer["id"])
        if "pid" in answer:
            started.set_result(answer["pid"])
        else:
            started.set_exception(OSError(answer["problem"]))


class Forked:
    """A worker process that was forked, in a session and group of its own. It ends when `control` closes."""

    def __init__(self, server: ForkServer, worker_id: str, pid: int, control: socket.socket) -> None:
        self.worker_id = worker_id
        self.pid = pid
        self.control = control
        self._server = server
        self._code: Future[int] = Future()

    def ready(self, timeout_s: float = 30.0) -> bool:
        """Wait until it can take runs; False when it ended before. Errors: `TimeoutError`."""
        self.control.settimeout(timeout_s)
        heard = b""
        while b"ready\n" not in heard:
            said = self.control.recv(64)
            if not said:
                return False
            heard += said
        return True

    def tell(self, word: str) -> None:
        """Say a word to it, such as ``drain 5``, if it still listens."""
        with suppress(OSError):
            self.control.sendall(f"{word}\n".encode())

    def kill(self) -> None:
        """End it at once, with all of its group."""
        self._server.signal(self.pid, signal.SIGKILL)

    def signal(self, number: int) -> None:
        """Send a signal to it and all of its group."""
        self._server.signal(self.pid, number)

    def wait(self, timeout_s: float | None = None) -> int:
        """Wait for its end; the exit code, negative for a signal. No process of its group is left.

        Errors: `TimeoutError`.
        """
        code = self._code.result(timeout_s)
        self.control.close()
        return code

    def note_end(self, code: int) -> None:
        """It has ended."""
        self._code.set_result(code)
