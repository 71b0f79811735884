"""States that alerts watch for: a queue that is too long, work that nobody does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..store import Store
from .alert_deliveries import send_message
from .alert_rules import Rule
from .scene import Scene

__all__ = ["Place", "observe", "watchers", "weigh"]

STATES = ("queue.too_long", "worker.none")
#: How long it must last before somebody is told, unless the alert says, in milliseconds.
_AFTER_MS = {"queue.too_long": 0, "worker.none": 60_000}
#: A state that comes back within this time, or the alert's window when that is longer, had only paused.
_QUIET_MS = 60_000
#: Runs that are counted while nobody executes them.
_MOST_WAITING = 10_000


class Place(NamedTuple):
    """What is watched: by which alert, for what, where."""

    alert_id: str
    event: str
    key: str


def watchers(rules: Iterable[Rule]) -> list[Rule]:
    """Those that watch for a state."""
    return [rule for rule in rules if any(event in rule.events for event in STATES)]


def observe(store: Store, rules: Sequence[Rule]) -> dict[Place, dict[str, Any]]:
    """The states that are so at present, with what a message says of each."""
    found: dict[Place, dict[str, Any]] = {}
    for rule in rules:
        if "worker.none" in rule.events:
            [force] = store.read("view_workforce", env=rule.env, most=_MOST_WAITING)
            if force["waiting"] and not force["served"]:
                found[Place(rule.id, "worker.none", "")] = {"queued": force["waiting"]}
        if "queue.too_long" in rule.events and rule.filters.threshold is not None:
            # Counted no further than it matters: a long queue is not read to its end.
            most = rule.filters.threshold + 1
            for row in store.read("queue_lengths", env=rule.env, most=most):
                wanted = not rule.filters.queue or row["queue"] in rule.filters.queue
                if wanted and row["queued"] == most:
                    facts = {"queue": row["queue"], "threshold": rule.filters.threshold}
                    found[Place(rule.id, "queue.too_long", row["queue"])] = facts
    return found


def weigh(scene: Scene, rules: Sequence[Rule], observed: Mapping[Place, dict[str, Any]]) -> None:
    """Note which states have begun and ended, and make a message for each that has lasted long enough."""
    by_id = {rule.id: rule for rule in rules}
    known = {Place(row["alert_id"], row["event"], row["key"]): row for row in scene.tx.all("list_alert_states")}
    for place, facts in observed.items():
        rule = by_id[place.alert_id]
        row = known.get(place)
        since, told, gone_at = (scene.now, 0, None) if row is None else (row["since"], row["told"], row["gone_at"])
        if gone_at is not None and scene.now - gone_at >= _quiet(rule):
            since, told = scene.now, 0
        after = rule.filters.after_ms
        if not told and scene.now - since >= (_AFTER_MS[place.event] if after is None else after):
            told = 1
            data = {"first_at": since, "last_at": scene.now, "facts": {**facts, "lasted_ms": scene.now - since}}
            send_message(scene, rule, place.event, 1, data)
        if row is None or (since, told, gone_at) != (row["since"], row["told"], None):
            scene.tx.run("put_alert_state", **place._asdict(), since=since, told=told, gone_at=None)
    for place in known.keys() - observed.keys():
        _end(scene, place, known[place], by_id.get(place.alert_id))


def _end(scene: Scene, place: Place, row: Any, rule: Rule | None) -> None:
    """A state is not so any more: it may have paused only, when somebody was told of it."""
    gone_at = row["gone_at"]
    if rule is None or not row["told"] or (gone_at is not None and scene.now - gone_at >= _quiet(rule)):
        scene.tx.run("drop_alert_state", **place._asdict())
    elif gone_at is None:
        scene.tx.run("put_alert_state", **place._asdict(), since=row["since"], told=1, gone_at=scene.now)


def _quiet(rule: Rule) -> int:
    return max(_QUIET_MS, rule.window_ms)
