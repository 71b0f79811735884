"""What a run writes about itself: metadata and tags, its own, its parent's and its root's."""

from __future__ import annotations

from typing import Any

import msgspec

from ..model.limits import METADATA_BYTES, TAGS
from ..model.protocol import MetadataOp
from .scene import Scene

__all__ = ["apply_metadata", "change_metadata", "write_notes"]

_encode = msgspec.json.Encoder().encode


def write_notes(scene: Scene, run_id: str, operations: list[MetadataOp], tags: list[str]) -> str | None:
    """Apply changes of metadata and new tags of a fenced run; sentences on what was refused, else None. What is
    refused leaves the rest as it is."""
    own = scene.tx.one("read_metadata", id=run_id)
    if own is None:
        return None
    refused: list[str] = []
    if tags:
        present: list[str] = msgspec.json.decode(own["tags"])
        merged = present + [tag for tag in tags if tag not in present]
        scene.tx.run("write_tags", id=run_id, tags=_encode(merged[:TAGS]).decode())
        if len(merged) > TAGS:
            refused.append(f"a run has at most {TAGS} tags; dropped: {', '.join(merged[TAGS:])}")
    targets = {"self": run_id, "parent": own["parent_id"], "root": own["root_id"]}
    for target, target_id in targets.items():
        changes = [operation for operation in operations if operation.target == target]
        if changes and target_id is not None:
            refused += apply_metadata(scene, target_id, changes)
    return "; ".join(refused) or None


def apply_metadata(scene: Scene, run_id: str, changes: list[MetadataOp]) -> list[str]:
    """Apply `changes` in order; a sentence for each that would have made the metadata too large."""
    row = scene.tx.one("read_metadata", id=run_id)
    if row is None:
        return []
    refused: list[str] = []
    metadata: dict[str, Any] = msgspec.json.decode(row["metadata"]) if row["metadata"] else {}
    text = ""
    for change in changes:
        value = None if change.value is None else msgspec.json.decode(change.value)
        changed = change_metadata(metadata, change.op, change.key, value)
        changed_text = _encode(changed).decode()
        if len(changed_text) * 4 > METADATA_BYTES and len(changed_text.encode()) > METADATA_BYTES:
            refused.append(
                f"metadata of run {run_id} would exceed {METADATA_BYTES // 1024} KiB: {change.op} of "
                f"{change.key!r} was dropped"
            )
            continue
        metadata, text = changed, changed_text
    if text:
        scene.tx.run("write_metadata", id=run_id, metadata=text)
    return refused


def change_metadata(metadata: dict[str, Any], op: str, key: str, value: Any) -> dict[str, Any]:
    """`metadata` after one change; the same rule serves the run's own view and the store.

    ``set`` and ``delete`` a key, ``append`` to and ``remove`` from a list, ``increment`` a number (also by a
    negative one), ``replace`` everything.
    """
    if op == "replace":
        return dict(value)
    changed = dict(metadata)
    if op == "set":
        changed[key] = value
    elif op == "delete":
        changed.pop(key, None)
    elif op == "append":
        present = changed.get(key, [])
        changed[key] = [*(present if isinstance(present, list) else [present]), value]
    elif op == "remove":
        present = changed.get(key, [])
        changed[key] = [item for item in present if item != value] if isinstance(present, list) else present
    elif op == "increment":
        present = changed.get(key, 0)
        changed[key] = (present if isinstance(present, int | float) else 0) + value
    return changed
