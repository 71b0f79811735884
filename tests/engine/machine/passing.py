"""What time and operators do."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.engine.machine.world import KEEP_S, World

__all__ = ["Passing"]


class Passing(World):
    @rule(seconds=st.sampled_from([0.001, 1, 3, 11, 31]))
    def time_passes(self, seconds: float) -> None:
        self.bench.pass_time(seconds)
        self._sweeping_again_changes_nothing()

    @rule(seconds=st.sampled_from([-3600, -60, -1, 3600]))
    def the_clock_jumps(self, seconds: int) -> None:
        """Nobody's lease is judged by it."""
        self.bench.engine.check_leases()
        self.bench.clock.forward(seconds)
        assert not self.bench.engine.check_leases()
        self.bench.engine.sweep()
        self._sweeping_again_changes_nothing()

    def _sweeping_again_changes_nothing(self) -> None:
        self.bench.engine.tidy()
        due = self.bench.engine.next_due()
        assert due is None or due > self.bench.clock.now(), "something is due and not done"
        before = self.dump()
        self.bench.engine.sweep()
        self.bench.engine.tidy()
        assert self.dump() == before, "sweeping again changed something"

    @rule(seconds=st.sampled_from([20, 50, 100]))
    def leases_are_watched(self, seconds: int) -> None:
        before = [worker.id for worker in self.workers]
        lost = set(self.bench.watch_leases(seconds, self.workers[0]))
        assert before[0] not in lost
        assert seconds < 100 or lost >= set(before[1:]), "a silent worker was not given up"
        for worker in [worker for worker in self.workers if worker.id in lost]:
            self.gone.append(worker)
            self.replace(worker)

    @rule()
    def old_runs_go(self) -> None:
        while self.bench.engine.remove_old_runs():
            pass
        sql = "SELECT count(*) AS n FROM runs WHERE finished_at IS NULL OR finished_at > :before"
        before = self.bench.clock.now() - KEEP_S * 1000
        kept = self.bench.store.read_sql(sql, {"before": before})[0]["n"]
        assert self.bench.engine.remove_old_runs() == 0
        assert self.bench.store.read_sql(sql, {"before": before})[0]["n"] == kept

    @rule(limit=st.sampled_from([1, 2, 3]))
    def the_limit_changes(self, limit: int) -> None:
        self.bench.set_limit("one", limit)

    @rule(paused=st.booleans())
    def a_queue_is_paused(self, paused: bool) -> None:
        before = self.dump("queues")
        self.bench.engine.pause_queue("one", paused)
        assert self.dump("queues") == before

    @rule()
    def the_engine_restarts(self) -> None:
        """Workers come back under the same boot ids, with what they hold."""
        self.bench.restart()
        for worker in self.workers:
            worker.bench = self.bench
            holds = [(grant.run_id, grant.epoch) for other, grant in self.grants + self.duties if other is worker]
            worker.hello(again=True, holds=holds)
