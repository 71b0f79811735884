"""Streams that a run writes: parts in order, each kept once, whichever worker writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..model.limits import STREAM_BYTES, STREAMS
from ..model.protocol import StreamParts
from .scene import Scene

__all__ = ["write_streams"]


def write_streams(scene: Scene, run: Any, writer: int, written: Sequence[StreamParts]) -> list[str]:
    """Append what an execution of a fenced run wrote; sentences on what was refused.

    Parameters:
      writer: the epoch with which the execution began. It numbers its parts from 0, so that what is sent again is kept
        once. Another execution goes on after the parts that are settled; those beyond, it writes again, and readers are
        told so.
    """
    refused: list[str] = []
    for parts in written:
        refused += _write(scene, run, writer, parts)
    return refused


def _write(scene: Scene, run: Any, writer: int, written: StreamParts) -> list[str]:
    name = written.stream
    row = scene.tx.one("find_stream", run_id=run["id"], name=name)
    if row is None and len(scene.tx.all("list_streams", run_id=run["id"])) >= STREAMS:
        return [f"a run has at most {STREAMS} streams; what it wrote into {name!r} was dropped"]
    stream: dict[str, Any] = {
        "run_id": run["id"],
        "name": name,
        "env": run["env"],
        "writer": writer,
        "attempt": run["attempt"],
        **{name: 0 if row is None else row[name] for name in ("held", "settled", "base", "bytes", "closed")},
        "next_seq": 1 if row is None else row["next_seq"],
    }
    if row is not None and row["writer"] != writer:
        stream["base"] = stream["settled"]
        stream["closed"] = 0
        if stream["held"] > stream["settled"]:
            _append(scene, stream, "restart", str(stream["settled"]), 1)
            stream["held"] = stream["settled"]
    first = stream["base"] + written.first
    fresh = written.parts[max(0, stream["held"] - first) :]
    size = sum(len(part) for part in fresh)
    refused: list[str] = []
    if stream["bytes"] + size > STREAM_BYTES:
        refused.append(
            f"stream {name!r} is full: {STREAM_BYTES // 1024**2} MiB are kept of one; {len(fresh)} parts were dropped"
        )
    elif fresh:
        _append(scene, stream, "part", f"[{','.join(fresh)}]", len(fresh))
        stream["bytes"] += size
        stream["closed"] = 0
    stream["held"] = max(stream["held"], first + len(written.parts))
    if written.settled:
        stream["settled"] = max(stream["settled"], first + len(written.parts))
    if written.closed and not stream["closed"]:
        _append(scene, stream, "close", "null", 1)
        stream["closed"] = 1
    scene.tx.run("put_stream", **stream)
    return refused


def _append(scene: Scene, stream: dict[str, Any], kind: str, parts: str, n: int) -> None:
    scene.tx.run(
        "insert_stream_chunk",
        run_id=stream["run_id"],
        stream=stream["name"],
        seq=stream["next_seq"],
        n=n,
        kind=kind,
        attempt=stream["attempt"],
        parts=parts,
        now=scene.now,
    )
    stream["next_seq"] += n
