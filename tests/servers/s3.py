"""An S3 of the tests' own: moto's server, an HTTP server that signs, stores and refuses as S3 does.

with S3() as server: open_store(server.url("bucket"))
"""

from __future__ import annotations

import atexit
import itertools
import os
import sys
from collections.abc import Sequence
from functools import cache
from urllib.parse import urlencode

import httpx

from .process import Server

__all__ = ["S3", "shared_s3"]


class S3(Server):
    """One server; what it keeps is gone when it ends. Anybody may use it, until `check_keys`."""

    name = "s3"

    def __init__(self) -> None:
        super().__init__()
        self._numbers = itertools.count(1)

    def command(self) -> Sequence[str]:
        return [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]

    def environment(self) -> dict[str, str]:
        # Not the paths of who runs the tests: what they hold is imported when Python starts.
        return {**super().environment(), "PYTHONDONTWRITEBYTECODE": os.environ.get("PYTHONDONTWRITEBYTECODE", "")}

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        try:
            return httpx.get(f"{self.endpoint}/moto-api/data.json", timeout=5).is_success
        except httpx.TransportError:
            return False

    def bucket(self) -> str:
        """A new bucket; its name."""
        name = f"bucket-{os.getpid()}-{next(self._numbers)}"
        httpx.put(f"{self.endpoint}/{name}", timeout=30).raise_for_status()
        return name

    def url(self, place: str, **options: object) -> str:
        """The URL of the store at `place`, a bucket with or without a prefix."""
        given = {"endpoint": self.endpoint, "region": "us-east-1", "access_key_id": "AKIATEST",
                 "secret_access_key": "s3cret/of+tests", "retries": 1, **options}  # fmt: skip
        return f"s3://{place}?{urlencode(given)}"

    def check_keys(self, *, wanted: bool) -> None:
        """Refuse requests of unknown keys, or take all of them again."""
        count = "0" if wanted else "inf"
        httpx.post(f"{self.endpoint}/moto-api/reset-auth", content=count, timeout=30).raise_for_status()


@cache
def shared_s3() -> S3:
    """The server of this process's tests, started when first asked for; it ends with the process."""
    server = S3()
    atexit.register(server.close)
    server.start()
    return server
