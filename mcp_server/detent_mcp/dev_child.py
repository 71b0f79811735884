"""The dev server of a project, run as a child that ends with this process."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from .refusals import Refusal

if TYPE_CHECKING:
    from detent.config import Config

__all__ = ["DevChild"]

#: Lines of its output that are kept.
_LINES = 200
#: How long it may take until its worker is ready, in seconds.
READY_S = 30.0
#: How long it may take to stop, in seconds.
_STOP_S = 10.0
_READY = "worker ready"


class DevChild:
    """`detent dev` of one project as a child process.

    It reads the end of a pipe that this process holds, so it stops whatever this process dies of.
    """

    def __init__(self, config: Config) -> None:
        self.config = config
        self.lines: deque[str] = deque(maxlen=_LINES)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()

    @property
    def runs(self) -> bool:
        """Whether it lives."""
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        """Its process."""
        return None if self._process is None else self._process.pid

    async def start(self) -> None:
        """Start it, and come back when its worker is ready. Errors: `Refusal` with its last lines."""
        if self.runs:
            return
        port = [] if _is_free(self.config.host, self.config.port) else ["--port", "0"]
        self._ready.clear()
        self._process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "detent_cli", "dev", "--until-eof", *port,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=self.config.root,
            env=os.environ | {"DETENT_PROJECT_DIR": str(self.config.root), "DETENT_ENVIRONMENT": "", "NO_COLOR": "1"},
            start_new_session=True,
            limit=2**20,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read(self._process))
        with suppress(TimeoutError):
            await asyncio.wait_for(self._ready.wait(), READY_S)
        if not self.runs:
            said = "\n".join(list(self.lines)[-15:]) or "nothing"
            raise Refusal(
                f"`detent dev` was started in {self.config.root} and ended at once; it said:\n{said}",
                next=f"mend what it says, or look yourself: cd {self.config.root} && detent dev",
                code="dev_server_failed",
            )

    async def stop(self) -> None:
        """Let it stop: runs that execute may finish within its grace."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        self.let_go()
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), _STOP_S)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()

    def let_go(self) -> None:
        """Close the pipe at whose end it stops."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        stdout = process.stdout
        if stdout is None:
            return
        while line := await _line(stdout):
            text = line.decode(errors="replace").rstrip()
            self.lines.append(text)
            if text.startswith(_READY):
                self._ready.set()
        await process.wait()
        self._ready.set()


async def _line(stdout: asyncio.StreamReader) -> bytes:
    try:
        return await stdout.readline()
    except ValueError:  # longer than its buffer, which is dropped
        return b"\n"


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True
