"""Which alerts an event is for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from ..model.alerts import AlertFilters
from ..store import Store
from .error_groups import Failure

__all__ = ["Rule", "rule_of", "rules_of", "wants_end", "wants_failure"]

_decode_filters = msgspec.json.Decoder(AlertFilters).decode
_decode_texts = msgspec.json.Decoder(tuple[str, ...]).decode


class Rule(NamedTuple):
    """An alert as far as it decides what is told. `since`: events before it are none of its."""

    id: str
    env: str
    name: str
    events: tuple[str, ...]
    filters: AlertFilters
    window_ms: int
    since: int


def rules_of(store: Store) -> list[Rule]:
    """The enabled alerts of all environments."""
    return [rule_of(row) for row in store.read("list_enabled_alerts")]


def rule_of(row: Any) -> Rule:
    """The rule of an alert's row."""
    return Rule(
        row["id"],
        row["env"],
        row["name"],
        _decode_texts(row["events"]),
        _decode_filters(row["filters"]),
        row["window_ms"],
        row["created_at"],
    )


def wants_failure(rule: Rule, failure: Failure) -> bool:
    """Whether somebody is to be told of a failure whose news are known."""
    filters = rule.filters
    if failure.news == "muted" or not _wants_run(rule, "run.failed", failure.run, failure.at):
        return False
    if filters.fingerprint and failure.fingerprint not in filters.fingerprint:
        return False
    # Whoever ignored an error for some time wants to hear that it is back.
    news = "regression" if failure.news == "unignored" else failure.news
    return not filters.only or news in filters.only


def wants_end(rule: Rule, row: Any) -> bool:
    """Whether somebody is to be told of a run that completed, a row of `list_ended`."""
    return _wants_run(rule, "run.completed", row, row["at"])


def _wants_run(rule: Rule, event: str, run: Any, at: int) -> bool:
    filters = rule.filters
    return (
        event in rule.events
        and run["env"] == rule.env
        and at >= rule.since
        and (not filters.task or run["task"] in filters.task)
        and (not filters.tag or _shares(filters.tag, _decode_texts(run["tags"])))
    )


def _shares(wanted: Sequence[str], tags: Sequence[str]) -> bool:
    return any(tag in wanted for tag in tags)
