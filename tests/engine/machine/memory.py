"""What must be true after every rule: of what is, and of what was once."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis.stateful import initialize, invariant
from tests.engine.machine.world import ENV_LIMIT, World
from tests.invariants import broken

from detent.model.status import FINAL

__all__ = ["Memory"]


class Memory(World):
    @initialize()
    def begin(self) -> None:
        self.known_epoch: dict[str, int] = {}
        self.known_end: dict[str, tuple[Any, ...]] = {}
        self.known_value: dict[tuple[str, str, int], Any] = {}
        self.known_outcome: dict[str, tuple[Any, ...]] = {}
        self.executing_of_one = 0
        super().begin()

    @invariant()
    def all_is_well(self) -> None:
        self.nothing_is_that_may_not_be()
        self.limits_hold()
        self.epochs_rise_and_ends_are_ends()
        self.what_is_in_a_journal_stays()
        self.a_token_has_one_outcome()

    def nothing_is_that_may_not_be(self) -> None:
        found = broken(self.bench.store.read_sql)
        assert not found, "\n".join(found)

    def limits_hold(self) -> None:
        sql = "SELECT queue, concurrency_key FROM runs WHERE state = 'EXECUTING'"
        executing = [(row["queue"], row["concurrency_key"]) for row in self.bench.store.read_sql(sql, {})]
        now = Counter(queue for queue, _ in executing)
        # A limit that is lowered takes nothing away from what executes, it only keeps it from growing.
        limit = self.bench.store.read("find_queue", env="dev", name="one")[0]["limit_n"]
        assert now["one"] <= max(limit, self.executing_of_one)
        self.executing_of_one = now["one"]
        assert all(n <= 1 for (queue, key), n in Counter(executing).items() if queue == "keyed" and key)
        assert len(executing) <= ENV_LIMIT

    def epochs_rise_and_ends_are_ends(self) -> None:
        sql = "SELECT id, state, epoch, attempt, output, error, finished_at FROM runs"
        for row in self.bench.store.read_sql(sql, {}):
            assert row["epoch"] >= self.known_epoch.get(row["id"], 0), "an epoch fell"
            self.known_epoch[row["id"]] = row["epoch"]
            end = (row["state"], row["attempt"], row["output"], row["error"], row["finished_at"])
            if row["id"] in self.known_end:
                assert end == self.known_end[row["id"]], "an end changed"
            elif row["state"] in FINAL:
                self.known_end[row["id"]] = end

    def what_is_in_a_journal_stays(self) -> None:
        """Within an attempt; only a wait that is left meanwhile is left."""
        sql = "SELECT run_id, key, attempt, kind, target, status, value, error FROM journal WHERE status <> 'open'"
        for row in self.bench.store.read_sql(sql, {}):
            where = (row["run_id"], row["key"], row["attempt"])
            entry = tuple(row)[3:]
            known = self.known_value.get(where)
            if known is not None and row["status"] == "left" != known[2]:
                known = (*known[:2], "left", *known[3:])
            assert known in (None, entry), "an entry changed"
            self.known_value[where] = entry

    def a_token_has_one_outcome(self) -> None:
        sql = "SELECT id, status, output, completed_by, completed_at FROM waitpoints WHERE status <> 'WAITING'"
        for row in self.bench.store.read_sql(sql, {}):
            assert self.known_outcome.setdefault(row["id"], tuple(row)) == tuple(row), "an outcome changed"
