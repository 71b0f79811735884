"""What must be true of all that the simulated workers did and heard, besides what the store says of itself."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import Any

from tests.engine.bench import Bench
from tests.invariants import broken
from tests.oracle import check_history
from tests.simulation.frame import Frame

from detent.model.protocol import Entry, Failure, Finish, Record
from detent.model.status import FINAL

__all__ = ["Judge"]


class Judge:
    """Writes down effects, records, results and ends as they happen, and compares them with the store."""

    def __init__(self, bench: Bench) -> None:
        self.bench = bench
        #: Epochs in which the effect of a step happened, by run and key.
        self.effects: dict[tuple[str, str], list[int]] = defaultdict(list)
        #: What is durable, by run and key, as the engine said.
        self.recorded: dict[tuple[str, str], str | None] = {}
        self.told: dict[tuple[str, str, int], Any] = {}
        self.ends: dict[str, Finish] = {}
        self.zombies = 0

    def effect(self, frame: Frame, key: str) -> str:
        """A step has its effect. Never one that is durably finished, and once at the most in one epoch."""
        where = (frame.run_id, key)
        assert where not in self.recorded, f"step {where} ran again after it was finished"
        assert frame.epoch not in self.effects[where], f"step {where} ran twice in epoch {frame.epoch}"
        self.effects[where].append(frame.epoch)
        return json.dumps(f"{key}:{frame.epoch}")

    def hear(self, frame: Frame, key: str, value: Any) -> None:
        """A run is told a result: in one attempt always the same."""
        known = self.told.setdefault((frame.run_id, key, frame.attempt), value)
        assert known == value, f"{frame.run_id} {key} was told {known} and then {value}"

    def answered(self, request: Any, answer: Any, stale: bool) -> None:
        """The engine answered. `stale`: the run was somebody else's already when it was asked."""
        if stale and isinstance(request, Finish):
            self.zombies += 1
        if isinstance(answer, Failure):
            return
        if isinstance(request, Record) and not stale:
            for entry in request.entries:
                self._recorded(request.run_id, entry)
        if isinstance(request, Finish):
            assert not stale, f"a zombie finished: {request}"
            if request.status != "DELAYED":
                self.ends.setdefault(request.run_id, request)

    def _recorded(self, run_id: str, entry: Entry) -> None:
        known = self.recorded.setdefault((run_id, entry.key), entry.value)
        assert known == entry.value, f"{run_id} {entry.key} was recorded as {known} and as {entry.value}"

    def look(self) -> None:
        """After a commit."""
        found = broken(self.bench.store.read_sql)
        assert not found, "\n".join(found)

    def end(self) -> None:
        """When all is done."""
        self.look()
        report = check_history(self.bench.store)
        assert not report.broken, "\n".join(report.broken)
        assert report.unfinished == 0, f"runs without an end: {report.states}"
        store = self.bench.store
        for table in ("waits", "duties"):
            assert not store.read_sql(f"SELECT * FROM {table}", {}), f"{table} are left over"
        rows = {row["id"]: row for row in store.read_sql("SELECT * FROM runs", {})}
        self._check_effects(store, rows)
        self._check_ends(rows)
        self._check_results(rows)

    def _check_effects(self, store: Any, rows: dict[str, Any]) -> None:
        entries = store.read_sql("SELECT run_id, key, value FROM journal WHERE kind = 'step'", {})
        lost = defaultdict(int)
        for event in store.read_sql("SELECT run_id FROM events WHERE kind IN ('lose_lease', 'release', 'retry')", {}):
            lost[event["run_id"]] += 1
        for row in entries:
            where = (row["run_id"], row["key"])
            source = rows[row["run_id"]]["replay_of"]
            assert where in self.recorded or source is not None, f"{where} was recorded by nobody"
            assert self.recorded.get(where, row["value"]) == row["value"], f"{where} is not what was recorded"
            assert self.effects[where] or source is not None, f"{where} is finished without its effect"
        present = {(row["run_id"], row["key"]) for row in entries}
        missing = self.recorded.keys() - present
        assert not missing, f"{missing} were acknowledged and are lost"
        for (run_id, key), epochs in self.effects.items():
            assert len(epochs) <= 1 + lost[run_id], f"{run_id} {key} ran again, and no lease was lost"

    def _check_ends(self, rows: dict[str, Any]) -> None:
        for run_id, end in self.ends.items():
            row = rows[run_id]
            assert (row["state"], row["output"]) == (end.status, end.output), f"{run_id} did not end as was said"
        for row in rows.values():
            assert row["state"] in FINAL
            assert row["state"] != "COMPLETED" or row["id"] in self.ends, f"{row['id']} was completed by nobody"

    def _check_results(self, rows: dict[str, Any]) -> None:
        """What parents were told of their children is what became of these."""
        for (run_id, key, _), value in self.told.items():
            if "/trigger#" in key and not key.endswith(" made") and value and isinstance(value[0], list):
                for child_id, status, output in value:
                    row = rows[child_id]
                    assert (row["state"], row["output"]) == (status, output), f"{run_id} {key} was told otherwise"
