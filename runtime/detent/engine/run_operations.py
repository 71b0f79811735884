"""What clients can change about one run. Answers are plain JSON values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import InvalidOptions, near_names
from ..model.duration import is_moment, parse_when
from ..model.limits import IDEMPOTENCY_KEY_CHARS, NAME_CHARS
from ..model.options import idempotency_hash, tags_of
from . import run_changes
from .engine import Engine
from .views import iso

__all__ = ["RunOperations"]

#: Most changes of metadata in one request.
_CHANGES = 1_000
_HASH = re.compile("[0-9a-f]{64}")


class RunOperations:
    """Reschedule, metadata, tags, and idempotency keys, of one engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.by_name: dict[str, Callable[..., Any]] = {
            "runs.reschedule": self.reschedule_run,
            "runs.update_metadata": self.update_metadata,
            "runs.add_tags": self.add_tags,
            "idempotency.reset": self.reset_key,
        }

    def reschedule_run(self, *, id: str, delay: str | float) -> dict[str, Any]:
        """Let a delayed run start at another moment: a length of time from now, or a moment with its zone."""
        ms = parse_when(delay, 0, "delay")
        at, delay_ms = (ms, None) if is_moment(delay) else (None, ms)
        due = self._engine.write(lambda scene: run_changes.reschedule_run(scene, id, at, delay_ms))
        return {"id": id, "status": "DELAYED", "delay_until": iso(due)}

    def update_metadata(
        self,
        *,
        id: str,
        metadata: dict[str, Any] | None = None,
        operations: Sequence[dict[str, Any]] | None = None,
    ) -> dict[str, Any]:
        """Replace the metadata of a run, or change some of its keys; also of a run that has ended.

        `operations` are done in order, all or none: each is an object with `op` (``set``, ``delete``, ``append``,
        ``remove``, ``increment``), `key`, and `value`.
        """
        if (metadata is None) == (operations is None):
            raise InvalidOptions("give either metadata, which replaces all, or operations, which change some keys")
        if metadata is not None:
            if not isinstance(metadata, Mapping):
                raise InvalidOptions(f"metadata must be an object, got {metadata!r}")
            changes: list[tuple[str, str, Any]] = [("replace", "", dict(metadata))]
        else:
            changes = _changes(operations)
        return {"id": id, "metadata": self._engine.write(lambda scene: run_changes.update_metadata(scene, id, changes))}

    def add_tags(self, *, id: str, tags: Sequence[str]) -> dict[str, Any]:
        """Tag a run: 10 tags at most, of 1 to 128 characters. All of its tags."""
        added = tags_of(tags)
        return {"id": id, "tags": self._engine.write(lambda scene: run_changes.add_tags(scene, id, added))}

    def reset_key(self, *, id: str, task: str) -> dict[str, Any]:
        """Let an idempotency key of a task go, so that the next trigger with it starts a new run.

        The key is as it was given outside of runs, or the hash that a run shows.
        """
        if not isinstance(task, str) or not 1 <= len(task) <= NAME_CHARS:
            raise InvalidOptions(f"task must be the id of a task, got {task!r}")
        if not isinstance(id, str) or not 1 <= len(id) <= IDEMPOTENCY_KEY_CHARS:
            raise InvalidOptions(f"the key must be a text of 1 to {IDEMPOTENCY_KEY_CHARS:,} characters")
        keys = [idempotency_hash(id), *([id] if _HASH.fullmatch(id) else [])]
        run_id = self._engine.write(lambda scene: run_changes.reset_key(scene, task, keys))
        return {"key": id, "task": task, "run_id": run_id}


def _changes(operations: Any) -> list[tuple[str, str, Any]]:
    if not isinstance(operations, list | tuple) or not 1 <= len(operations) <= _CHANGES:
        raise InvalidOptions(f"operations must be a list of 1 to {_CHANGES:,} changes")
    changes: list[tuple[str, str, Any]] = []
    for place, operation in enumerate(operations):
        where = f"operations[{place}]"
        if not isinstance(operation, Mapping) or operation.keys() - {"op", "key", "value"}:
            raise InvalidOptions(f"{where} must be an object of op, key and value, got {operation!r}")
        op, key, value = operation.get("op"), operation.get("key"), operation.get("value")
        if op not in run_changes.METADATA_OPS:
            raise InvalidOptions(f"{where}: {near_names('op', str(op), run_changes.METADATA_OPS)}")
        if not isinstance(key, str) or not key:
            raise InvalidOptions(f"{where}: key must be a text, got {key!r}")
        if op == "increment" and (isinstance(value, bool) or not isinstance(value, int | float)):
            raise InvalidOptions(f"{where}: increment takes a number, got {value!r}")
        changes.append((op, key, value))
    return changes
