"""Who runs an environment's work, and how the platform under it is: workers, loops, store, disk."""

from __future__ import annotations

import shutil
import time
from typing import Any

import msgspec

from ..model.this_host import host_name
from ..store import SqliteStore
from .engine import Engine

__all__ = ["liveness_of", "write_time"]


def liveness_of(engine: Engine, now: int) -> dict[str, Any]:
    """The workers of an environment, and what all environments share.

    Errors: `StoreError` when the store cannot be written.
    """
    rows = [row for row in engine.store.read("list_workers") if row["env"] == engine.env and row["parent"] is None]
    connected = {session.worker_id for session in engine.sessions.of_env(engine.env)}
    if engine.store.is_shared:
        # Others may have their connections to other servers.
        connected |= {row["id"] for row in rows if now - row["beat_at"] < engine.lease_ms}
    path = engine.store.path if isinstance(engine.store, SqliteStore) else None
    problems = {
        msgspec.json.encode(problem): problem for row in rows for problem in msgspec.json.decode(row["problems"])
    }
    return {
        "workers": [
            {
                "id": row["id"],
                "host": host_name(row["host"]),
                "pid": row["pid"],
                "version": row["version"],
                "connected": row["id"] in connected,
                "beat_ms": max(0, now - row["beat_at"]),
                "lag_ms": row["lag_ms"],
                "blocked_by": row["blocked_by"],
            }
            for row in rows
        ],
        "connected": len(connected),
        "loops": [{"name": loop.name, "alive": loop.is_alive, "errors": loop.errors} for loop in engine.loops],
        "store_ms": round(write_time(engine, now), 1),
        "store_bytes": None if path is None else path.stat().st_size,
        "disk_free_bytes": None if path is None else shutil.disk_usage(path.parent).free,
        "problems": list(problems.values()),
    }


def write_time(engine: Engine, now: int) -> float:
    """How long a small write takes, in milliseconds. Errors: `StoreError`."""
    begun = time.perf_counter()
    engine.store.write(lambda tx: tx.run("mark_ready", at=str(now)))
    return (time.perf_counter() - begun) * 1000
