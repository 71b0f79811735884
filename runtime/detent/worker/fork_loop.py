"""The process of a fork server: ``python -m detent.worker.fork_loop``, started by a `ForkServer`.

It has no threads, has imported the project's tasks, and forks a worker process for each request. Requests and answers
are lines of JSON on a socket, its standard input; a request for a process carries the process's control socket.
"""

from __future__ import annotations

import ctypes
import gc
import os
import select
import signal
import socket
import subprocess
import sys
import traceback
from collections import deque
from contextlib import suppress
from typing import Any, NoReturn

import msgspec
import psutil

from .process import Prepared, arguments_of, born, prepare, serve

_PR_SET_PDEATHSIG = 1
_FORK_FAILED = 71


def main() -> NoReturn:
    """Serve until the owner's end of the socket closes; then end all that was forked."""
    options = arguments_of(sys.argv[1:])
    owner = socket.socket(fileno=os.dup(0))
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    for number in (signal.SIGTERM, signal.SIGINT):
        # A handler, not SIG_IGN, which what the runs start would inherit.
        signal.signal(number, lambda *_: None)
    prepared = prepare(options.project)
    gc.collect()
    # What is there now is shared with every process that is forked, as long as nobody writes to it.
    gc.freeze()
    _Loop(owner, prepared).run()


class _Loop:
    """Answers requests, and tells of the ends of processes."""

    def __init__(self, owner: socket.socket, prepared: Prepared) -> None:
        self._owner = owner
        self._prepared = prepared
        self._wake, self._waker = os.pipe()
        for end in (self._wake, self._waker):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(self._waker, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._living: dict[int, subprocess.Popen[bytes] | None] = {}
        self._text = b""
        self._controls: deque[int] = deque()

    def run(self) -> NoReturn:
        while True:
            readable, _, _ = select.select([self._owner.fileno(), self._wake], [], [])
            if self._wake in readable:
                with suppress(BlockingIOError):
                    os.read(self._wake, 4096)
                self._reap()
            if self._owner.fileno() in readable and not self._hear():
                for pid in self._living:
                    _signal_group(pid, signal.SIGKILL)
                os._exit(0)

    def _hear(self) -> bool:
        """Do what the owner asks for; False when it is gone."""
        try:
            text, controls, _, _ = socket.recv_fds(self._owner, 65_536, 16)
        except OSError:
            return False
        self._controls.extend(controls)
        *lines, self._text = (self._text + text).split(b"\n")
        for line in lines:
            request: dict[str, Any] = msgspec.json.decode(line)
            if "fork" in request:
                self._answer(id=request["id"], **self._start(request["fork"], request["env"]))
            elif request["pid"] in self._living:
                _signal_group(request["pid"], request["signal"])
        return bool(text)

    def _start(self, argv: list[str], env: dict[str, str]) -> dict[str, Any]:
        control = self._controls.popleft()
        try:
            # A fork copies one thread: locks that the others hold would stay locked for ever.
            spawned = None if _may_fork() else _spawned(argv, env, control)
            pid = self._forked(argv, env, control) if spawned is None else spawned.pid
        except OSError as error:
            return {"problem": str(error)}
        finally:
            os.close(control)
        self._living[pid] = spawned
        return {"pid": pid}

    def _forked(self, argv: list[str], env: dict[str, str], control: int) -> int:
        pid = os.fork()
        if pid == 0:
            try:
                self._become_worker(argv, env, control)
            except BaseException:
                traceback.print_exc()
            finally:
                os._exit(_FORK_FAILED)
        return pid

    def _become_worker(self, argv: list[str], env: dict[str, str], control: int) -> NoReturn:
        os.setsid()
        _die_with_parent()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        self._owner.close()
        os.close(self._wake)
        os.close(self._waker)
        os.dup2(control, 0)
        os.close(control)
        os.environ.update(env)
        options = arguments_of(argv)
        serve(self._prepared, options, born(options))

    def _reap(self) -> None:
        for pid in list(self._living):
            # It is not reaped yet, so that its number cannot have become another's when its group is killed.
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
                continue
            _signal_group(pid, signal.SIGKILL)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            spawned = self._living.pop(pid)
            if spawned is not None:
                spawned.returncode = code
            self._answer(ended=pid, code=code)

    def _answer(self, **answer: Any) -> None:
        with suppress(OSError):  # the owner is gone: the loop sees it next
            self._owner.sendall(msgspec.json.encode(answer) + b"\n")


def _may_fork() -> bool:
    return sys.platform != "darwin" and psutil.Process().num_threads() == 1


def _spawned(argv: list[str], env: dict[str, str], control: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603  # our own interpreter and module
        [sys.executable, "-m", "detent.worker", *argv], stdin=control, env=os.environ | env, start_new_session=True
    )


def _die_with_parent() -> None:
    """End when the fork server is killed, even where code that holds the interpreter keeps the process from seeing
    its control socket close."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


if __name__ == "__main__":
    main()
