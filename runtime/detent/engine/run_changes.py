"""What people change about one run: when it starts, its metadata, its tags; and the key by which it is found."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from ..errors import Conflict, InvalidOptions, LimitExceeded, NotFound
from ..model.limits import METADATA_BYTES, TAGS
from ..model.status import shown_status
from .notebook import change_metadata
from .scene import Scene

__all__ = ["METADATA_OPS", "add_tags", "reschedule_run", "reset_key", "update_metadata"]

#: What can be done to a key of metadata.
METADATA_OPS = ("set", "delete", "append", "remove", "increment")

_encode = msgspec.json.Encoder().encode


def reschedule_run(scene: Scene, run_id: str, at: int | None, delay_ms: int | None) -> int:
    """DELAYED → DELAYED, until another moment: `at`, or `delay_ms` from now; that moment. What lies in the past is now.

    Errors: `NotFound`; `Conflict` with the state of a run that is not delayed.
    """
    run = _find(scene, run_id)
    due = max(scene.now, scene.now + (delay_ms or 0) if at is None else at)
    row = scene.tx.one("reschedule_run", id=run_id, at=due)
    if row is None:
        state = shown_status(run["state"], run["attempt_started_at"] is not None)
        raise Conflict(
            f"run {run_id} is not DELAYED but {state}, so there is no start to put off; "
            "replay it with a delay, or cancel it"
        )
    scene.record("reschedule", row, "DELAYED", wake_at=due)
    scene.bell.due(due)
    return due


def update_metadata(scene: Scene, run_id: str, operations: Sequence[tuple[str, str, Any]]) -> dict[str, Any]:
    """Change the metadata of a run by ``(op, key, value)`` in order, all or none; also of one that has ended.

    Errors: `NotFound`; `InvalidOptions` for a value that does not fit what is there; `LimitExceeded`.
    """
    run = _find(scene, run_id)
    metadata: dict[str, Any] = msgspec.json.decode(run["metadata"]) if run["metadata"] else {}
    for op, key, value in operations:
        present = metadata.get(key, 0)
        if op == "increment" and (isinstance(present, bool) or not isinstance(present, int | float)):
            raise InvalidOptions(f"metadata {key!r} is no number, so it cannot be incremented; set it instead")
        metadata = change_metadata(metadata, op, key, value)
    text = _encode(metadata)
    if len(text) > METADATA_BYTES:
        raise LimitExceeded(
            f"metadata of run {run_id} would be {len(text):,} bytes of JSON; the limit is {METADATA_BYTES:,} (256 KiB)"
        )
    scene.tx.run("write_metadata", id=run_id, metadata=text.decode())
    scene.tx.run("put_run_note", run_id=run_id, env=scene.env)
    return metadata


def add_tags(scene: Scene, run_id: str, tags: Sequence[str]) -> list[str]:
    """Tag a run; all of its tags. Errors: `NotFound`; `InvalidOptions` when it would have too many."""
    present: list[str] = msgspec.json.decode(_find(scene, run_id)["tags"])
    merged = list(dict.fromkeys([*present, *tags]))
    if len(merged) > TAGS:
        raise InvalidOptions(f"a run has at most {TAGS} tags; run {run_id} has {len(present)}, so these do not fit")
    if len(merged) > len(present):
        scene.tx.run("write_tags", id=run_id, tags=_encode(merged).decode())
        scene.tx.run("put_run_note", run_id=run_id, env=scene.env)
    return merged


def reset_key(scene: Scene, task: str, keys: Sequence[str]) -> str | None:
    """Let an idempotency key of `task` go, kept as any of `keys`; the run that it led to, None where there was none."""
    for key in keys:
        found = scene.tx.one("find_idempotency", env=scene.env, task=task, key=key)
        if found is not None:
            scene.tx.run("reset_idempotency", env=scene.env, task=task, key=key)
            run_id: str = found["run_id"]
            return run_id
    return None


def _find(scene: Scene, run_id: str) -> Any:
    row = scene.tx.one("find_run", id=run_id)
    if row is None or row["env"] != scene.env:
        raise NotFound(f"no run {run_id!r} in this project; list the latest with `detent runs list`")
    return row
