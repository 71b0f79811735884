"""Running a run again: what is asked, and how the answer is read."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from pydantic import TypeAdapter

from ..model import json_text
from ..model.ids import new_id
from ..model.manifest import QueueSpec
from ..model.options import IdempotencyKey
from ..model.status import Status
from ..model.views import JournalEntry, TriggeredRun
from .calls import Call

__all__ = ["SAME", "fork_run", "journal_of_run", "replay_run", "resume_run"]

#: Stands for a payload that is not changed.
SAME: Any = object()

_entries = TypeAdapter(list[JournalEntry])


def replay_run(run_id: str, payload: Any, options: Mapping[str, Any]) -> Call[TriggeredRun]:
    values: dict[str, Any] = {"id": run_id, "new_id": new_id("run")}
    if payload is not SAME:
        values["payload"] = json_text.decode(json_text.encode(payload, "payload"))
    given = {name: _plain(option) for name, option in options.items() if option is not None}
    if given:
        values["options"] = json_text.decode(json_text.encode(given, "options"))
    return Call("runs.replay", values, TriggeredRun.model_validate)


def fork_run(run_id: str, at: str | None) -> Call[TriggeredRun]:
    values: dict[str, Any] = {"id": run_id, "new_id": new_id("run")}
    if at is not None:
        values["at"] = at
    return Call("runs.fork", values, TriggeredRun.model_validate)


def resume_run(run_id: str) -> Call[Status]:
    return Call("runs.resume", {"id": run_id}, lambda answer: Status(answer["status"]))


def journal_of_run(run_id: str, after: int | None, limit: int) -> Call[list[JournalEntry]]:
    values: dict[str, Any] = {"id": run_id, "limit": limit}
    if after is not None:
        values["after"] = after
    return Call("runs.journal", values, lambda answer: _entries.validate_python(answer["items"]))


def _plain(option: Any) -> Any:
    """`option` as a JSON value that is read in the same way."""
    if isinstance(option, timedelta):
        return option.total_seconds()
    if isinstance(option, IdempotencyKey):
        return option.key
    spec = getattr(option, "spec", option)
    if isinstance(spec, QueueSpec):
        limits = {"concurrency_limit": spec.limit, "concurrency_limit_per_key": spec.limit_per_key}
        return {"name": spec.name, **limits}
    return option
