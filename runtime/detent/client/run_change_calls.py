"""What clients change about one run, see `calls`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..errors import InvalidOptions
from ..model import json_text
from ..model.change_views import KeyReset, Rescheduled, RunMetadata, RunTags
from ..model.duration import When, is_moment, parse_when
from ..model.options import idempotency_hash, tags_of
from .calls import Call

__all__ = ["add_tags", "reschedule_run", "reset_key", "update_metadata"]


def reschedule_run(run_id: str, delay: When) -> Call[Rescheduled]:
    ms = parse_when(delay, 0, "delay")
    # A length of time stays one, since the store's clock counts it.
    text = f"{ms}ms" if not is_moment(delay) else datetime.fromtimestamp(ms / 1000, UTC).isoformat()
    return Call("runs.reschedule", {"id": run_id, "delay": text}, Rescheduled.model_validate)


def update_metadata(
    run_id: str, metadata: Mapping[str, Any] | None, operations: Sequence[Mapping[str, Any]] | None
) -> Call[dict[str, Any]]:
    if (metadata is None) == (operations is None):
        raise InvalidOptions("give either metadata, which replaces all, or operations, which change some keys")
    values: dict[str, Any] = {"id": run_id}
    name, given = ("metadata", metadata) if operations is None else ("operations", list(operations))
    values[name] = json_text.decode(json_text.encode(given, name))
    return Call("runs.update_metadata", values, lambda answer: RunMetadata.model_validate(answer).metadata)


def add_tags(run_id: str, tags: str | Sequence[str]) -> Call[list[str]]:
    return Call(
        "runs.add_tags", {"id": run_id, "tags": tags_of(tags)}, lambda answer: RunTags.model_validate(answer).tags
    )


def reset_key(task_id: str, key: str | Sequence[str]) -> Call[KeyReset]:
    # Several texts are one key only as it is kept.
    text = key if isinstance(key, str) else idempotency_hash(key)
    return Call("idempotency.reset", {"id": text, "task": task_id}, KeyReset.model_validate)
