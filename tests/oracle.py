"""The common oracle of the fault tests: replays the history of a database and says what must never be and
was.

    report = check(path)
    report.raise_if_wrong()

It reads nothing but the events, the runs' queues and the queues' limits, in the order in which they were
committed.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from detent.model.status import FINAL
from detent.store import Store

__all__ = ["QueueReport", "Report", "check", "check_history"]

_EVENTS = """
SELECT e.seq, e.run_id, e.at, e.kind, e.state, e.epoch, e.worker_id, r.queue, r.concurrency_key
FROM events e JOIN runs r ON r.id = e.run_id ORDER BY e.seq
"""
_RUNS = "SELECT id, state, epoch FROM runs"
_QUEUES = "SELECT name, limit_n, limit_per_key FROM queues"


@dataclass
class QueueReport:
    """What one queue did. `backlog_ms`: how long runs were queued; `used`: the share of its limit then in
    use."""

    limit: int | None
    most: int = 0
    backlog_ms: int = 0
    used_ms: int = 0

    @property
    def used(self) -> float:
        if not self.limit or not self.backlog_ms:
            return 1.0
        return self.used_ms / (self.limit * self.backlog_ms)


@dataclass
class Report:
    """Counts of runs by state, the queues, and every rule that was broken, in words."""

    states: Counter[str] = field(default_factory=Counter)
    queues: dict[str, QueueReport] = field(default_factory=dict)
    lost_leases: int = 0
    broken: list[str] = field(default_factory=list)

    @property
    def runs(self) -> int:
        return self.states.total()

    @property
    def unfinished(self) -> int:
        return sum(n for state, n in self.states.items() if state not in FINAL)

    def raise_if_wrong(self) -> None:
        assert not self.broken, "\n".join(self.broken[:20])


def check(database_path: Path) -> Report:
    """Read the history in the file of an embedded store, which may be in use."""
    with closing(sqlite3.connect(f"{database_path.absolute().as_uri()}?mode=ro", uri=True)) as db:
        db.row_factory = sqlite3.Row
        db.execute("BEGIN")
        return _replay(*(db.execute(sql).fetchall() for sql in (_EVENTS, _RUNS, _QUEUES)))


def check_history(store: Store) -> Report:
    """Read the history through a store of this process, which must be at rest."""
    return _replay(*(store.read_sql(sql, {}) for sql in (_EVENTS, _RUNS, _QUEUES)))


class _Replay:
    def __init__(self, queues: list[Any]) -> None:
        self.report = Report()
        self.limits = {row["name"]: row["limit_n"] for row in queues}
        self.key_limits = {row["name"]: row["limit_per_key"] for row in queues}
        self.state: dict[str, str] = {}
        self.epoch: dict[str, int] = {}
        self.executing: Counter[str] = Counter()
        self.executing_of_key: Counter[tuple[str, str]] = Counter()
        self.queued: Counter[str] = Counter()
        self.since: dict[str, int] = {}
        self.finishes: Counter[str] = Counter()

    def see(self, event: Any) -> None:
        if event["kind"] == "hooks_lost":
            if self.state.get(event["run_id"]) not in FINAL:
                self._broken(f"event {event['seq']}, run {event['run_id']}: hooks of an end were lost before the end")
            return
        run_id, queue, state = event["run_id"], event["queue"], event["state"]
        report = self.report.queues.setdefault(queue, QueueReport(self.limits.get(queue)))
        self._let_time_pass(report, queue, event["at"])
        before = self.state.get(run_id)
        self._check_edge(event, before)
        key = (queue, event["concurrency_key"])
        for counter, name, place in (
            (self.executing, "EXECUTING", queue),
            (self.executing_of_key, "EXECUTING", key),
            (self.queued, "QUEUED", queue),
        ):
            counter[place] += (state == name) - (before == name)  # type: ignore[index]
        self.state[run_id], self.epoch[run_id] = state, event["epoch"]
        report.most = max(report.most, self.executing[queue])
        if event["kind"] == "claim":
            self._check_limits(event, key)
        self.report.lost_leases += event["kind"] == "lose_lease"

    def _let_time_pass(self, report: QueueReport, queue: str, at: int) -> None:
        """Between two events of a queue its numbers stand still."""
        passed = max(0, at - self.since.get(queue, at))
        self.since[queue] = at
        if self.queued[queue]:
            report.backlog_ms += passed
            report.used_ms += passed * self.executing[queue]

    def _check_edge(self, event: Any, before: str | None) -> None:
        where = f"event {event['seq']}, run {event['run_id']}: {event['kind']}"
        if before is None and event["kind"] != "trigger":
            self._broken(f"{where} before its trigger")
        if before is not None and event["kind"] == "trigger":
            self._broken(f"{where} a second time")
        if before in FINAL:
            self._broken(f"{where} after its end {before}")
        epoch = self.epoch.get(event["run_id"], 0)
        if event["epoch"] < epoch:
            self._broken(f"{where} took the epoch back from {epoch} to {event['epoch']}")
        if event["kind"] == "claim":
            if before != "QUEUED":
                self._broken(f"{where} while it was {before}, so it may execute twice at once")
            if event["epoch"] != epoch + 1:
                self._broken(f"{where} raised the epoch from {epoch} to {event['epoch']}")
        if event["state"] in FINAL:
            self.finishes[event["run_id"]] += 1

    def _check_limits(self, event: Any, key: tuple[str, str]) -> None:
        queue, concurrency_key = key
        limit, key_limit = self.limits.get(queue), self.key_limits.get(queue)
        now, now_of_key = self.executing[queue], self.executing_of_key[key]
        where = f"event {event['seq']}, queue {queue}"
        if limit is not None and now > limit:
            self._broken(f"{where}: {now} runs at once, over its limit {limit}")
        if key_limit is not None and concurrency_key and now_of_key > key_limit:
            self._broken(f"{where}: {now_of_key} runs of key {concurrency_key!r} at once, over {key_limit}")

    def end(self, runs: list[Any]) -> Report:
        for run in runs:
            self.report.states[run["state"]] += 1
            said = self.state.get(run["id"])
            if said != run["state"] or self.epoch.get(run["id"]) != run["epoch"]:
                self._broken(
                    f"run {run['id']} is {run['state']} in epoch {run['epoch']}; its history says {said} "
                    f"in epoch {self.epoch.get(run['id'])}"
                )
            ends = self.finishes[run["id"]]
            if ends != (run["state"] in FINAL):
                self._broken(f"run {run['id']} is {run['state']} and has {ends} ends in its history")
        return self.report

    def _broken(self, text: str) -> None:
        self.report.broken.append(text)


def _replay(events: list[Any], runs: list[Any], queues: list[Any]) -> Report:
    replay = _Replay(queues)
    for event in events:
        replay.see(event)
    return replay.end(runs)
