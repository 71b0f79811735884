"""What the machine has at hand: a bench, workers, and every grant that they ever had."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize
from tests.engine.bench import Bench, Worker
from tests.invariants import dump
from tests.oracle import check_history

from detent.model.manifest import QueueSpec
from detent.model.protocol import Failure, Grant

__all__ = ["ENV_LIMIT", "KEEP_S", "TASKS", "World", "pick"]

TASKS = ("a@one", "b@one", "c@keyed")
ENV_LIMIT = 4
#: Finished runs are kept so long, in seconds.
KEEP_S = 600

pick = st.integers(0, 10_000)


class World(RuleBasedStateMachine):
    """The state that the rules of all topics share."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name), env_limit=ENV_LIMIT, retention_ms=KEEP_S * 1000)
        self.workers = [self.new_worker() for _ in range(2)]
        self.gone: list[Worker] = []
        self.grants: list[tuple[Worker, Grant]] = []
        self.duties: list[tuple[Worker, Grant]] = []
        self.runs: list[str] = []
        self.tokens: list[str] = []
        self.begin_with()

    def begin_with(self) -> None:
        """What there is before the first rule."""

    def claim(self, n: int, room: int) -> None:
        """A worker asks for so many runs; see `working`."""

    def teardown(self) -> None:
        if not hasattr(self, "bench"):
            return
        try:
            # Limits that were lowered under executing runs are judged after each step; the rest always.
            broken = [text for text in check_history(self.bench.store).broken if "over its limit" not in text]
            assert not broken, "\n".join(broken)
        finally:
            self.bench.close()
            self.folder.cleanup()

    def new_worker(self) -> Worker:
        queues = [QueueSpec("one", 2), QueueSpec("keyed", None, 1)]
        return self.bench.worker(*TASKS, sync=["b@one"], queues=queues, hooks=["on_cancel", "on_failure"])

    def replace(self, worker: Worker) -> None:
        """`worker` is no more; another one comes."""
        self.workers.remove(worker)
        self.workers.append(self.new_worker())

    # How it looks inside.

    def row(self, run_id: str) -> Any | None:
        rows = self.bench.store.read("find_run", id=run_id)
        return rows[0] if rows else None

    def state(self, run_id: str) -> str | None:
        row = self.row(run_id)
        return None if row is None else row["state"]

    def holds(self, worker: Worker, grant: Grant) -> bool:
        """Whether the run is the worker's to execute."""
        row = self.row(grant.run_id)
        return row is not None and (row["state"], row["epoch"], row["worker_id"]) == (
            "EXECUTING",
            grant.epoch,
            worker.id,
        )

    def keeps(self, worker: Worker, grant: Grant) -> bool:
        """Whether the worker keeps the frame of the run, which is parked or has been called again."""
        row = self.row(grant.run_id)
        return row is not None and (row["epoch"], row["sticky_worker"]) == (grant.epoch, worker.id)

    def held(self, n: int) -> tuple[Worker, Grant] | None:
        """One of the grants that hold; where there is none, workers ask for some first."""
        mine = [(worker, grant) for worker, grant in self.grants[-40:] if self.holds(worker, grant)]
        if not mine:
            self.claim(n, 2)
            mine = [(worker, grant) for worker, grant in self.grants[-4:] if self.holds(worker, grant)]
        return mine[n % len(mine)] if mine else None

    def parked(self, n: int) -> tuple[Worker, Grant] | None:
        """One of the frames that are kept, if there is any."""
        kept = [(worker, grant) for worker, grant in self.grants[-40:] if self.keeps(worker, grant)]
        return kept[n % len(kept)] if kept else None

    def zombie(self, n: int) -> tuple[Worker, Grant] | None:
        """A grant that has passed; of a run that executes elsewhere, where there is one and `n` does not say not to."""
        past = [
            (worker, grant)
            for worker, grant in self.grants[-40:]
            if not self.holds(worker, grant) and not self.keeps(worker, grant)
        ]
        elsewhere = [(worker, grant) for worker, grant in past if self.state(grant.run_id) == "EXECUTING"]
        choice = elsewhere if elsewhere and n % 4 else past
        return choice[n // 4 % len(choice)] if choice else None

    def journal(self, run_id: str) -> dict[str, Any]:
        sql = "SELECT * FROM journal WHERE run_id = :id"
        return {row["key"]: row for row in self.bench.store.read_sql(sql, {"id": run_id})}

    def next_seq(self, run_id: str) -> int:
        return len(self.journal(run_id))

    def dump(self, *but: str) -> Any:
        return dump(self.bench.store.read_sql, *but)

    def remember(self, run_ids: list[str]) -> None:
        known = set(self.runs)
        self.runs += [run_id for run_id in dict.fromkeys(run_ids) if run_id not in known]

    def say_twice(self, worker: Worker, request: Any) -> Any:
        """What the worker is answered; asked again, since the answer may have been lost, it is answered the same and
        nothing is written."""
        [answer] = worker.say(request)
        before = self.dump()
        [again] = worker.say(request)
        # The frame of a worker that is about to stop is not counted on: it is told to drop it.
        dropped = worker.session.draining and isinstance(again, Failure)
        assert again == answer or dropped, f"said again: {again}"
        assert self.dump() == before, "said again, it wrote again"
        return answer
