"""From what a caller writes to the runs that a transport takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import time_ns
from typing import Any

from ..errors import InvalidOptions, LimitExceeded
from ..model.ids import new_id
from ..model.limits import BATCH_ITEMS
from ..model.options import new_run
from ..model.protocol import Handle, NewRun
from ..model.views import TriggeredBatch, TriggeredRun

__all__ = ["batch_runs", "one_run", "triggered", "triggered_batch"]


def one_run(task: str, payload: Any, options: Mapping[str, Any]) -> NewRun:
    """The run for one trigger. Its id is made here, so that sending it again makes no second one."""
    from ..model.json_text import encode

    return new_run(task, encode(payload, "payload"), options, now=time_ns() // 1_000_000)


def batch_runs(items: Sequence[Any], task: str | None = None) -> tuple[str, list[NewRun]]:
    """The id of a new batch, and its runs.

    Parameters:
      items: mappings with `payload`, `options` (see `TriggerOptions`) and, when `task` is None, `task`.
    """
    if not 1 <= len(items) <= BATCH_ITEMS:
        raise LimitExceeded(f"a batch has 1 to {BATCH_ITEMS:,} items, got {len(items):,}; send several batches")
    batch_id = new_id("batch")
    runs = []
    for place, item in enumerate(items):
        unknown = sorted(item.keys() - {"task", "payload", "options"}) if isinstance(item, Mapping) else [item]
        if unknown:
            raise InvalidOptions(
                f"item {place} of the batch must be a mapping with payload, options"
                f"{'' if task else ' and task'}, got {unknown[0]!r}"
            )
        name = item.get("task", task)
        if name is None:
            raise InvalidOptions(f"item {place} of the batch names no task; add task='…'")
        try:
            run = one_run(name, item.get("payload"), item.get("options") or {})
        except (InvalidOptions, LimitExceeded) as error:
            raise type(error)(f"item {place} of the batch: {error}") from None
        run.batch_id = batch_id
        runs.append(run)
    return batch_id, runs


def triggered(handle: Handle) -> TriggeredRun:
    return TriggeredRun(
        id=handle.id, cached=handle.cached, public_access_token=handle.public_access_token, served=handle.served
    )


def triggered_batch(batch_id: str, handles: Sequence[Handle]) -> TriggeredBatch:
    return TriggeredBatch(id=batch_id, runs=[triggered(handle) for handle in handles])
