"""The common oracle of the fault tests: replays the history of a database and says what must never be and
was.

    report = check(database)
    report.raise_if_wrong()

It reads nothing but the events, the runs' queues and the queues' limits, in the order in which they were
committed. `check_rest` then looks at every table once all runs have ended, and `check_sweeping_again` lets the loops
of an engine pass over it, which must change nothing.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.databases import Database, Reading, open_store

from detent.engine import Engine
from detent.engine.clock import Clock, SystemClock
from detent.model.status import FINAL
from detent.store import Store

__all__ = [
    "LimitChange",
    "QueueReport",
    "Report",
    "check",
    "check_ended",
    "check_history",
    "check_rest",
    "check_sweeping_again",
]

_EVENTS = """
SELECT e.seq, e.run_id, e.at, e.kind, e.state, e.epoch, e.worker_id, r.queue, r.concurrency_key
FROM events e JOIN runs r ON r.id = e.run_id ORDER BY e.seq
"""
_RUNS = "SELECT id, state, epoch FROM runs"
_QUEUES = "SELECT name, limit_n, limit_per_key FROM queues"

_FINAL = ", ".join(f"'{state}'" for state in sorted(FINAL))
#: What must not be there when every run has ended, by what is wrong with it.
_LEFT_OVER = {
    "a run that has ended and still has a worker": """
        SELECT id FROM runs WHERE worker_id IS NOT NULL OR sticky_worker IS NOT NULL""",
    "a run that is held by a dead worker, or by none": """
        SELECT r.id FROM runs r LEFT JOIN workers w ON w.id = r.worker_id
        WHERE r.state = 'EXECUTING' AND (w.state IS NULL OR w.state = 'dead')""",
    "a wait of a run that has ended": f"""
        SELECT w.run_id || ' ' || w.key FROM waits w LEFT JOIN runs r ON r.id = w.run_id
        WHERE r.id IS NULL OR r.state IN ({_FINAL})""",
    "an edge to a run that does not exist": """
        SELECT c.run_id || ' ' || c.key FROM children c
        WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = c.child_id)
           OR NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = c.run_id)""",
    "a child of no journal entry, or of more than one": """
        SELECT r.id FROM runs r WHERE r.parent_id IS NOT NULL
          AND (SELECT count(*) FROM children c WHERE c.child_id = r.id AND c.run_id = r.parent_id) <> 1""",
    "a completed parent that waited for a run that has not ended": f"""
        SELECT p.id FROM children c JOIN runs p ON p.id = c.run_id JOIN runs r ON r.id = c.child_id
        JOIN journal j ON j.run_id = c.run_id AND j.key = c.key
        WHERE c.awaited = 1 AND p.state = 'COMPLETED' AND j.status = 'ok' AND r.state NOT IN ({_FINAL})""",
    "a place in the journal that two entries share": """
        SELECT run_id || ' ' || seq FROM journal WHERE seq > 0 GROUP BY run_id, seq HAVING count(*) > 1""",
    "an entry in the journal of no run": """
        SELECT j.run_id || ' ' || j.key FROM journal j WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = j.run_id)""",
    "a step that is open although its run has completed": """
        SELECT j.run_id || ' ' || j.key FROM journal j JOIN runs r ON r.id = j.run_id
        WHERE j.status = 'open' AND r.state = 'COMPLETED'""",
    "an idempotency key that leads nowhere": """
        SELECT i.key FROM idempotency i WHERE NOT EXISTS (SELECT 1 FROM runs r WHERE r.id = i.run_id)""",
    "a batch with another number of runs": """
        SELECT b.id FROM batches b
        WHERE (SELECT count(*) FROM runs r WHERE r.batch_id = b.id) > b.total""",
    "a duty that nobody has done": "SELECT run_id FROM duties",
    "a token that is due and waits": """
        SELECT id FROM waitpoints WHERE status = 'WAITING' AND due_at <= :now""",
    "a run that has ended at no time": f"""
        SELECT id FROM runs WHERE (state IN ({_FINAL})) <> (finished_at IS NOT NULL)""",
}


class LimitChange(NamedTuple):
    """The `limit` of a queue is another since the event with the number `after`, which was before the moment `at`, in
    milliseconds since 1970."""

    after: int
    at: int
    queue: str
    limit: int | None


@dataclass
class QueueReport:
    """What one queue did. `backlog_ms`: how long runs were queued; `possible_ms`, `used_ms`: what its limit allowed to
    execute meanwhile, and what did; `used`: the share."""

    limit: int | None
    most: int = 0
    backlog_ms: int = 0
    possible_ms: int = 0
    used_ms: int = 0

    @property
    def used(self) -> float:
        return self.used_ms / self.possible_ms if self.possible_ms else 1.0


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


def check(database: Database, limits: Sequence[LimitChange] = ()) -> Report:
    """Read the history in a database, which may be in use.

    `limits`: how the limits of queues were changed; the others are as they are now.
    """
    with Reading(database) as db:
        return _replay(*(db.ask(sql) for sql in (_EVENTS, _RUNS, _QUEUES)), limits)


def check_history(store: Store, limits: Sequence[LimitChange] = ()) -> Report:
    """Read the history through a store of this process, which must be at rest. `limits`: see `check`."""
    return _replay(*(store.read_sql(sql, {}) for sql in (_EVENTS, _RUNS, _QUEUES)), limits)


def check_ended(database: Database, clock: Clock | None = None, limits: Sequence[LimitChange] = ()) -> Report:
    """The whole oracle, for a project whose runs have all ended; the report. `limits`: see `check`."""
    report = check(database, limits)
    report.raise_if_wrong()
    assert not report.unfinished, f"runs that have not ended: {report.states}"
    broken = check_rest(database, clock)
    assert not broken, "\n".join(broken[:20])
    check_sweeping_again(database, clock)
    return report


def check_rest(database: Database, clock: Clock | None = None) -> list[str]:
    """What is left over in a project whose runs have all ended, in words."""
    with Reading(database) as db:
        now = (clock or SystemClock()).now()
        return [
            f"{what}: {row[0]}" for what, sql in _LEFT_OVER.items() for row in db.ask(sql.replace(":now", str(now)))[:5]
        ]


def check_sweeping_again(database: Database, clock: Clock | None = None) -> None:
    """Let an engine without workers do all that its loops do, twice. It must find nothing to do."""
    store = open_store(database)
    try:
        engine = Engine(store, clock)
        before = _contents(database)
        for _ in range(2):
            engine.sweep()
            engine.check_leases()
            engine.tidy()
            engine.remove_old_runs()
        after = _contents(database)
    finally:
        store.close()
    changed = [table for table in before if before[table] != after[table]]
    assert not changed, f"sweeping again changed {', '.join(changed)}"


def _contents(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    with Reading(database) as db:
        return {table: sorted(map(tuple, db.ask(f"SELECT * FROM {table}")), key=repr) for table in db.tables()}


class _Replay:
    def __init__(self, queues: list[Any], changes: Sequence[LimitChange]) -> None:
        self.report = Report()
        self.limits = {row["name"]: row["limit_n"] for row in queues} | {change.queue: None for change in changes}
        self.changes = deque(sorted(changes))
        self.key_limits = {row["name"]: row["limit_per_key"] for row in queues}
        self.state: dict[str, str] = {}
        self.epoch: dict[str, int] = {}
        self.executing: Counter[str] = Counter()
        self.executing_of_key: Counter[tuple[str, str]] = Counter()
        self.queued: Counter[str] = Counter()
        self.since: dict[str, int] = {}
        self.finishes: Counter[str] = Counter()
        self.buried: set[str] = set()

    def see(self, event: Any) -> None:
        while self.changes and self.changes[0].after < event["seq"]:
            change = self.changes.popleft()
            if change.queue in self.report.queues:
                self._let_time_pass(self.report.queues[change.queue], change.queue, change.at)
            self.limits[change.queue] = change.limit
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
        if event["kind"] == "lose_lease":
            self.report.lost_leases += 1
            self.buried.add(event["worker_id"])
        elif event["worker_id"] in self.buried:
            self._broken(f"event {event['seq']}, run {run_id}: {event['kind']} by {event['worker_id']}, which is dead")

    def _let_time_pass(self, report: QueueReport, queue: str, at: int) -> None:
        """Between two events of a queue its numbers stand still."""
        passed = max(0, at - self.since.get(queue, at))
        self.since[queue] = at
        if self.queued[queue]:
            report.backlog_ms += passed
            limit = self.limits.get(queue)
            if limit is not None:
                report.possible_ms += passed * limit
                report.used_ms += passed * min(limit, self.executing[queue])

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


def _replay(events: list[Any], runs: list[Any], queues: list[Any], limits: Sequence[LimitChange]) -> Report:
    replay = _Replay(queues, limits)
    for event in events:
        replay.see(event)
    return replay.end(runs)
