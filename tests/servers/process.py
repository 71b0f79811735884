"""A server of another maker as a child of the tests: on a free port, in a folder of its own, gone when they are."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["Server", "free_port", "unprivileged_user", "until"]

#: How long a server may take to answer or to end before it counts as stuck, in seconds. Nothing waits for it to pass.
PATIENCE_S = 60.0

#: Ends the server and removes its folder when the tests' end of its standard input closes, however they died.
_GUARD = 'read _; kill -s "$1" "$2" 2>/dev/null; sleep 0.2; kill -9 "$2" 2>/dev/null; rm -rf "$3"'


def free_port() -> int:
    """A port of this machine that nothing listened on a moment ago."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def unprivileged_user(*names: str) -> str | None:
    """Whom a server that refuses to run as root runs as: the first of `names` that exists, else nobody.

    None when the tests do not run as root: then it runs as whoever they run as.
    """
    if os.getuid() != 0:
        return None
    there = {entry.pw_name for entry in pwd.getpwall()}
    for name in (*names, "nobody"):
        if name in there:
            return name
    return next(entry.pw_name for entry in pwd.getpwall() if entry.pw_uid)


def until(what: str, fact: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
    """Look until `fact` is true. Fails with `what` was waited for."""
    ends = time.monotonic() + patience_s
    while not fact():
        assert time.monotonic() < ends, f"{what} did not come about within {patience_s:g} s"
        time.sleep(0.005)


class Server(ABC):
    """``with SomeServer() as server``: a real process that real signals reach.

    Attributes:
      port: where it listens on 127.0.0.1; the same after a restart.
      folder: what it keeps, until `close`.
    """

    #: What its folder and its errors are called.
    name: str
    #: The signal that ends it at once and in order.
    end_signal = signal.SIGTERM

    def __init__(self, user: str | None = None) -> None:
        self.port = free_port()
        self.user = user
        self.folder = Path(tempfile.mkdtemp(prefix=f"detent-{self.name}-"))
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(self.folder, entry.pw_uid, entry.pw_gid)
        self._process: subprocess.Popen[bytes] | None = None
        self._guard: subprocess.Popen[bytes] | None = None

    @abstractmethod
    def command(self) -> Sequence[str]:
        """What starts it."""

    @abstractmethod
    def answers(self) -> bool:
        """Whether it serves requests now."""

    def environment(self) -> dict[str, str]:
        return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.folder), "LC_ALL": "C"}

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def pid(self) -> int:
        assert self._process is not None, f"{self.name} has not been started"
        return self._process.pid

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it; returns when it answers."""
        self.launch()
        until(f"an answer of {self.name}", self._has_come_up)

    def launch(self) -> None:
        """Start it, and do not wait for its first answer."""
        assert not self.runs, f"{self.name} runs already"
        with (self.folder / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=self.environment(),
                user=self.user,
                start_new_session=True,
            )
        self._guard = subprocess.Popen(
            ["sh", "-c", _GUARD, "guard", self.end_signal.name[3:], str(self._process.pid), str(self.folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def _has_come_up(self) -> bool:
        assert self.runs, f"{self.name} ended before it answered:\n{self.log()[-2000:]}"
        return self.answers()

    def stop(self) -> None:
        """End it in order. Nothing when it does not run."""
        self._end(self.end_signal)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def restart(self) -> None:
        """End it in order and start it on the same port with what it kept."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nobody."""
        self.send(signal.SIGSTOP)

    def resume(self) -> None:
        self.send(signal.SIGCONT)

    def send(self, number: int) -> None:
        """Any other signal."""
        assert self._process is not None, f"{self.name} has not been started"
        self._process.send_signal(number)

    def close(self) -> None:
        """End it and remove what it kept."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def log(self) -> str:
        """All that it has said."""
        file = self.folder / "server.log"
        return file.read_text(errors="replace") if file.exists() else ""

    def _end(self, number: signal.Signals) -> None:
        if self._guard is not None:
            self._guard.kill()
            self._guard.communicate()
            self._guard = None
        if self._process is not None:
            if self._process.poll() is None:
                self.send(signal.SIGCONT)
                self.send(number)
            self._process.wait(PATIENCE_S)
            self._process = None
