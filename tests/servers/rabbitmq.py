"""A RabbitMQ of the tests' own, where ``rabbitmq-server`` is on PATH: no wheel carries one.

with RabbitMQ() as server: pika.BlockingConnection(pika.URLParameters(server.url))
"""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import socket
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import pytest

from .process import Server, free_port, unprivileged_user

__all__ = ["RabbitMQ", "find_rabbitmq", "needs_rabbitmq", "shared_rabbitmq"]

#: Debian's command on PATH insists on folders of the system; the program that it starts does not.
_DEBIAN = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")


def find_rabbitmq() -> str | None:
    """``rabbitmq-server`` of PATH."""
    found = shutil.which("rabbitmq-server")
    return str(_DEBIAN) if found is not None and _DEBIAN.exists() else found


#: For tests that cannot do without: the one server that not every machine has.
needs_rabbitmq = pytest.mark.skipif(find_rabbitmq() is None, reason="rabbitmq-server is not on PATH")


class RabbitMQ(Server):
    """One server, with the user `guest`; it takes some seconds to start."""

    name = "rabbitmq"

    def __init__(self) -> None:
        super().__init__(unprivileged_user("rabbitmq"))
        found = find_rabbitmq()
        assert found is not None, "rabbitmq-server is not on PATH"
        self._binary = found
        self._distribution_port = free_port()
        config = [
            f"listeners.tcp.1 = 127.0.0.1:{self.port}",
            "loopback_users.guest = true",
            "vm_memory_high_watermark.absolute = 1GB",
            "disk_free_limit.absolute = 1MB",
        ]
        (self.folder / "rabbitmq.conf").write_text("\n".join(config) + "\n")
        (self.folder / "plugins").write_text("[].\n")

    def environment(self) -> dict[str, str]:
        user = self.user or pwd.getpwuid(os.getuid()).pw_name
        return super().environment() | {
            "USER": user,
            "RABBITMQ_NODENAME": f"detent{self.port}@localhost",
            "RABBITMQ_DIST_PORT": str(self._distribution_port),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": str(self.folder / "rabbitmq-env.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self.folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
        }

    def command(self) -> Sequence[str]:
        return [self._binary]

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@127.0.0.1:{self.port}/%2F"

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), 5) as raw:
                raw.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(raw.recv(8))
        except OSError:
            return False

    def send(self, number: int) -> None:
        # What was started may be a shell around the server.
        os.killpg(self.pid, number)


@cache
def shared_rabbitmq() -> RabbitMQ:
    """The server of this process's tests, started when first asked for; it ends with the process."""
    server = RabbitMQ()
    atexit.register(server.close)
    server.start()
    return server
