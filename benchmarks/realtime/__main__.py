"""``python -m benchmarks.realtime``: 500 who follow, and the time from a change to each of them.

The time begins before the engine is asked for the change, and ends when the follower has read the event: it holds the
commit, the look at the store, the sending, and the reading by one Python process for all followers.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import tempfile
import time
from asyncio.subprocess import PIPE, Process
from typing import Any
from urllib.parse import urlsplit

from .server import KEY

#: What is followed: the path, the runs that change in turn, the changes, how often in seconds, and what changes.
CASES = {
    "one run": ("/realtime/v1/runs/{run}", 1, 100, 0.1, "metadata"),
    "a stream of one run": ("/realtime/v1/streams/{run}/tokens", 1, 100, 0.1, "stream"),
    "runs by tag": ("/realtime/v1/runs?tags=bench", 1, 100, 0.1, "metadata"),
    "a run each": ("/realtime/v1/runs/{run}", 500, 1_000, 0.01, "metadata"),
}


class Follower:
    """A connection that notes how old each update is when it comes."""

    def __init__(self, ages: list[float]) -> None:
        self._ages = ages
        self.is_there = asyncio.Event()

    async def follow(self, host: str, port: int, path: str) -> None:
        reader, writer = await asyncio.open_connection(host, port, limit=2**22)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {KEY}\r\n\r\n".encode())
        try:
            await reader.readuntil(b"retry: 1000")
            self.is_there.set()
            while line := await reader.readline():
                if line.startswith(b"data: "):
                    at = _made_at(line)
                    if at is not None:
                        self._ages.append((time.time_ns() - at) / 1e6)
        finally:
            writer.close()


def _made_at(line: bytes) -> int | None:
    """When the change was made, in nanoseconds since 1970."""
    digits = line.partition(b'"at":')[2].partition(b"}")[0] or line.removeprefix(b"data: ").strip()
    return int(digits) if digits.isdigit() and len(digits) > 12 else None


async def _measure(followers: int, name: str) -> dict[str, Any]:
    path, runs, updates, every_s, kind = CASES[name]
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "benchmarks.realtime.server", folder, str(runs), stdin=PIPE, stdout=PIPE
        )
        told = await _line(server)
        address = urlsplit(told["url"])
        assert address.hostname is not None
        assert address.port is not None
        ages: list[float] = []
        crowd = [Follower(ages) for _ in range(followers)]
        tasks = [
            asyncio.create_task(one.follow(address.hostname, address.port, path.format(run=told["runs"][place % runs])))
            for place, one in enumerate(crowd)
        ]
        await asyncio.gather(*(one.is_there.wait() for one in crowd))
        await asyncio.sleep(1)
        ages.clear()
        assert server.stdin is not None
        server.stdin.write(json.dumps({"updates": updates, "every_s": every_s, "kind": kind}).encode() + b"\n")
        await _line(server)
        await asyncio.sleep(1)
        for task in tasks:
            task.cancel()
        server.kill()
        await server.wait()
    ages.sort()
    return {
        "case": name,
        "followers": followers,
        "expected": updates * followers // (runs if "{run}" in path else 1),
        "received": len(ages),
        "p50_ms": round(ages[len(ages) // 2], 1),
        "p99_ms": round(ages[len(ages) * 99 // 100], 1),
        "max_ms": round(ages[-1], 1),
    }


async def _line(server: Process) -> dict[str, Any]:
    assert server.stdout is not None
    told: dict[str, Any] = json.loads(await server.stdout.readline())
    return told


def main() -> None:
    """Measure each case and print a line of JSON for it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.realtime", description=__doc__)
    parser.add_argument("--followers", type=int, default=500)
    parser.add_argument("--case", choices=list(CASES), action="append")
    options = parser.parse_args()
    for name in options.case or CASES:
        print(json.dumps(asyncio.run(_measure(options.followers, name))), flush=True)


if __name__ == "__main__":
    main()
