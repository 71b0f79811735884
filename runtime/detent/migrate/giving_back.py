"""What executed when the workers of a store were stopped or killed goes back to its queue."""

from __future__ import annotations

from ..engine import Engine
from ..store import Store

__all__ = ["give_back"]


def give_back(store: Store) -> int:
    """Hand back what workers held that are gone now; how many runs. Nothing counts against them."""
    engine = Engine(store)
    held = _executing(store)
    for worker in store.read("list_workers"):
        engine.lose_worker(worker["id"], "its store was moved", stopped=True)
    return held - _executing(store)


def _executing(store: Store) -> int:
    return int(store.read_sql("SELECT count(*) AS n FROM runs WHERE state = 'EXECUTING'", {})[0]["n"])
