"""The name of this machine, among all whose process numbers mean something to each other."""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path

__all__ = ["host_name", "this_host"]


@cache
def this_host() -> str:
    """The host name, and what tells machines of one name apart: the boot, and the container's own process numbers."""
    marks = [socket.gethostname()]
    boot = Path("/proc/sys/kernel/random/boot_id")
    numbers = Path("/proc/self/ns/pid")
    if boot.exists():
        marks.append(boot.read_text().strip()[:8])
    if numbers.exists():
        marks.append(str(numbers.stat().st_ino))
    return "/".join(marks)


def host_name(host: str) -> str:
    """What people call the machine that `this_host` named so."""
    return host.partition("/")[0]
