"""Events on the same matter, gathered into one message: ten thousand failures ring one bell.

The first event on a matter opens a window; when it closes there is a message that says how many there were. While
events go on to come, the windows that follow are longer and longer, up to an hour; after one without any, all begins
anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from .alert_deliveries import send_message
from .alert_rules import Rule, rule_of
from .scene import Scene

__all__ = ["Occurrence", "close_windows", "gather"]

#: Windows of one alert and event that may be open at once; further matters share one message.
MOST_OPEN = 20
#: The matter of all those.
_REST = "*"
#: Each window that follows one with events is so many times as long, up to this length in milliseconds.
_LONGER = 4
_LONGEST_MS = 3_600_000
#: Runs, tasks and matters that a message names.
_RUNS, _TASKS, _MATTERS = 5, 20, 20

_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


class Occurrence(NamedTuple):
    """One event. `matter`: events with the same one are told together. `news`: what is special about it, or ``""``.
    `facts`: about the first of a message."""

    at: int
    matter: str
    run_id: str
    task: str
    news: str
    facts: dict[str, Any]


def gather(scene: Scene, rule: Rule, event: str, occurrences: Sequence[Occurrence]) -> None:
    """Note events, in the order in which they came, for the next message of an alert on their matter."""
    if rule.window_ms == 0:
        for occurrence in occurrences:
            send_message(scene, rule, event, 1, _more({}, occurrence))
        return
    by_matter: dict[str, list[Occurrence]] = {}
    for occurrence in occurrences:
        by_matter.setdefault(occurrence.matter, []).append(occurrence)
    for matter, told in by_matter.items():
        row = _window(scene, rule, event, matter)
        data = _decode(row["data"])
        for occurrence in told:
            data = _more(data, occurrence)
        scene.tx.run("put_alert_window", **row | {"count": row["count"] + len(told), "data": _encode(data).decode()})


def close_windows(scene: Scene, n: int) -> int:
    """Make the messages that are due, of at most `n` windows; how many windows there were."""
    due = scene.tx.all("list_due_windows", now=scene.now, n=n)
    for row in due:
        place = {"alert_id": row["alert_id"], "event": row["event"], "key": row["key"]}
        alert = scene.tx.one("find_alert_by_id", id=row["alert_id"])
        if not row["count"] or alert is None or not alert["enabled"]:
            scene.tx.run("drop_alert_window", **place)
            continue
        rule = rule_of(alert)
        send_message(scene, rule, row["event"], row["count"], _decode(row["data"]))
        length = max(rule.window_ms, min(_LONGEST_MS, (row["closes_at"] - row["opened_at"]) * _LONGER))
        following = {"env": row["env"], "count": 0, "data": "{}", "opened_at": scene.now}
        scene.tx.run("put_alert_window", **place, **following, closes_at=scene.now + length)
    return len(due)


def _window(scene: Scene, rule: Rule, event: str, matter: str) -> dict[str, Any]:
    """The open window of a matter as a row; a new one where there is none."""
    place = {"alert_id": rule.id, "event": event}
    row = scene.tx.one("find_alert_window", **place, key=matter)
    if row is None:
        [(n,)] = scene.tx.all("count_alert_windows", **place)
        if n >= MOST_OPEN:
            matter = _REST
            row = scene.tx.one("find_alert_window", **place, key=matter)
    if row is not None:
        return dict(row)
    times = {"opened_at": scene.now, "closes_at": scene.now + rule.window_ms}
    return {**place, "key": matter, "env": rule.env, "count": 0, "data": "{}", **times}


def _more(data: dict[str, Any], occurrence: Occurrence) -> dict[str, Any]:
    """What a message says, with one more event. It grows with what is different, not with how many there are."""
    if not data:
        data = {
            "first_at": occurrence.at,
            "facts": occurrence.facts,
            "runs": [],
            "tasks": {},
            "news": [],
            "matters": [],
        }
    data["last_at"] = occurrence.at
    if len(data["runs"]) < _RUNS:
        data["runs"].append(occurrence.run_id)
    tasks = data["tasks"]
    if occurrence.task in tasks or len(tasks) < _TASKS:
        tasks[occurrence.task] = tasks.get(occurrence.task, 0) + 1
    if occurrence.news and occurrence.news not in data["news"]:
        data["news"].append(occurrence.news)
    if occurrence.matter not in data["matters"] and len(data["matters"]) < _MATTERS:
        data["matters"].append(occurrence.matter)
    return data
