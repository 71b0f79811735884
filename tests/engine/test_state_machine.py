"""Whatever happens in whatever order, the invariants of DESIGN.md section 5 hold after every step.

The machine drives the real engine over a real file with a clock of its own. Workers remember every grant that
they ever had, also those that were taken from them, so zombies speak up all the time.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.engine.bench import Bench, Worker, new
from tests.oracle import check_history

from detent.errors import Conflict
from detent.model.manifest import QueueSpec
from detent.model.protocol import (
    Claim,
    Claimed,
    Done,
    DutyDone,
    Emit,
    Failure,
    Finish,
    Grant,
    Park,
    Parked,
    Release,
    Trigger,
    Triggered,
    Watch,
)
from detent.model.status import FINAL

TASKS = ("a@one", "b@one", "c@keyed")
ENV_LIMIT = 4

pick = st.integers(0, 10_000)
keys = st.sampled_from(["", "x", "y"])


class EngineMachine(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.bench = Bench(Path(self.folder.name), env_limit=ENV_LIMIT)
        self.workers = [self._new_worker() for _ in range(2)]
        self.gone: list[Worker] = []
        self.grants: list[tuple[Worker, Grant]] = []
        self.duties: list[tuple[Worker, Grant]] = []
        self.runs: list[str] = []
        self.known_epoch: dict[str, int] = {}
        self.known_end: dict[str, tuple[Any, ...]] = {}
        for task in "abcab":
            self.trigger(task, "", None, None)
        self.claim(0, 2)

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            self._judge_history()
            self.bench.close()
            self.folder.cleanup()

    def _judge_history(self) -> None:
        # Limits that were lowered under executing runs are judged after each step; the rest always.
        broken = [text for text in check_history(self.bench.store).broken if "over its limit" not in text]
        assert not broken, "\n".join(broken)

    def _new_worker(self) -> Worker:
        queues = [QueueSpec("one", 2), QueueSpec("keyed", None, 1)]
        return self.bench.worker(*TASKS, sync=["b@one"], queues=queues, hooks=["on_cancel", "on_failure"])

    def _held(self, n: int) -> tuple[Worker, Grant] | None:
        """One of the latest grants: twice as often one that still holds."""
        mine = [(worker, grant) for worker, grant in self.grants if self._is_mine(worker, grant)]
        choice = mine if mine and n % 3 else self.grants[-12:]
        return choice[n // 3 % len(choice)] if choice else None

    # What clients do.

    @rule(
        task=st.sampled_from("abc"),
        key=keys,
        delay=st.sampled_from([None, 5]),
        ttl=st.sampled_from([None, 20]),
    )
    def trigger(self, task: str, key: str, delay: int | None, ttl: int | None) -> None:
        run = new(task, concurrency_key=key)
        run.run_at = None if delay is None else self.bench.clock.now() + delay * 1000
        run.ttl_ms = None if ttl is None else ttl * 1000
        self.bench.trigger_all([run])
        self.runs.append(run.id)

    @rule(key=st.sampled_from(["k", "l"]), n=st.integers(1, 3))
    def trigger_batch_with_idempotency(self, key: str, n: int) -> None:
        handles = self.bench.trigger_all([new("a", idempotency_key=key), *(new("b") for _ in range(n))])
        self.runs += [handle.id for handle in handles if not handle.cached]

    @precondition(lambda self: self.runs)
    @rule(n=pick)
    def cancel(self, n: int) -> None:
        try:
            self.bench.engine.cancel(self.runs[n % len(self.runs)])
        except Conflict:
            assert self.bench.state(self.runs[n % len(self.runs)]) in FINAL - {"CANCELED"}

    # What workers do, alive or not.

    @rule(n=pick, room=st.integers(1, 3))
    def claim(self, n: int, room: int) -> None:
        worker = self.workers[n % len(self.workers)]
        [answer] = worker.say(Claim(sync=room, async_=room))
        assert isinstance(answer, Claimed)
        for grant in answer.grants:
            (self.duties if grant.duty else self.grants).append((worker, grant))

    @rule(n=pick, room=st.integers(1, 3))
    def hand_over(self, n: int, room: int) -> None:
        """A run changes hands, so that whoever had it before is a zombie."""
        mine = [(worker, grant) for worker, grant in self.grants if self._is_mine(worker, grant)]
        if mine:
            worker, grant = mine[n % len(mine)]
            worker.say(Release([(grant.run_id, grant.epoch)], draining=False))
            self.claim(n, room)

    @rule(n=pick, verb=st.sampled_from(["finish", "retry", "trigger", "park", "release"]))
    def a_zombie_speaks(self, n: int, verb: str) -> None:
        zombies = [
            (worker, grant)
            for worker, grant in self.grants
            if self.bench.state(grant.run_id) == "EXECUTING" and not self._is_mine(worker, grant)
        ]
        if not zombies:
            return
        worker, grant = zombies[n % len(zombies)]
        before = tuple(self.bench.row(grant.run_id))
        run_id, epoch = grant.run_id, grant.epoch
        [answer] = worker.say(
            {
                "finish": Finish(run_id, epoch, "COMPLETED", output='"zombie"'),
                "retry": Finish(run_id, epoch, "DELAYED", retry_at=self.bench.clock.now()),
                "trigger": Trigger(run_id, epoch, "zombie", [new("a")], wait=True, park=True),
                "park": Park(run_id, epoch, ["zombie"]),
                "release": Release([(run_id, epoch)], draining=False),
            }[verb]
        )
        assert isinstance(answer, Failure) or verb == "release"
        assert tuple(self.bench.row(run_id)) == before, f"a zombie changed a run by {verb}"

    @precondition(lambda self: self.gone)
    @rule(n=pick)
    def the_dead_claim(self, n: int) -> None:
        gone = self.gone[n % len(self.gone)]
        [answer] = gone.say(Claim(sync=1, async_=1))
        assert isinstance(answer, Failure) or (gone.session.draining and not answer.grants)
        assert isinstance(gone.hello(), Failure)

    @rule(
        n=pick,
        status=st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "TIMED_OUT", "DELAYED"]),
        unattended=st.booleans(),
    )
    def finish(self, n: int, status: str, unattended: bool) -> None:
        if held := self._held(n):
            worker, grant = held
            mine = self._is_mine(worker, grant)
            retry_at = self.bench.clock.now() + 3_000 if status == "DELAYED" else None
            more = {"retry_at": retry_at, "unattended": unattended and status == "TIMED_OUT"}
            answer = worker.finish(grant, status, **more)
            if mine:
                assert answer == Done()
                assert worker.finish(grant, status, **more) == Done(), "said again"

    @precondition(lambda self: self.duties)
    @rule(n=pick, verb=st.sampled_from(["done", "release", "trigger"]))
    def a_worker_attends_to_a_duty(self, n: int, verb: str) -> None:
        """Whoever has it, or had it once."""
        worker, grant = self.duties[-1 - n % min(8, len(self.duties))]
        held = self._duty(worker, grant)
        before = self.bench.row(grant.run_id)
        if verb == "done":
            worker.say(DutyDone(grant.run_id, grant.epoch))
        elif verb == "release":
            worker.say(Release([(grant.run_id, grant.epoch)], draining=False))
        else:
            answer = worker.trigger(grant, "alert", "c", "c")
            assert isinstance(answer, Triggered if held else Failure)
            if held:
                assert worker.trigger(grant, "alert", "c", "c") == answer, "said again"
                self.runs += [handle.id for handle in answer.handles if handle.id not in self.runs]
        assert bool(self._duty(worker, grant)) == (bool(held) and verb == "trigger")
        assert tuple(self.bench.row(grant.run_id)) == tuple(before), "a duty changed its run"

    @precondition(lambda self: self.grants)
    @rule(n=pick)
    def what_is_left_of_a_run_is_not_taken_for_its_duty(self, n: int) -> None:
        worker, grant = self.grants[-1 - n % min(12, len(self.grants))]
        if self.bench.state(grant.run_id) in FINAL:
            [emitted] = worker.say(Emit(grant.run_id, grant.epoch, tags=["late"]))
            assert isinstance(emitted, Failure)
            assert isinstance(worker.trigger(grant, "alert", "c"), Failure)

    @rule(
        n=pick,
        tasks=st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
        call=st.integers(0, 3),
        park=st.booleans(),
    )
    def trigger_and_wait(self, n: int, tasks: list[str], call: int, park: bool) -> None:
        if held := self._held(n):
            worker, grant = held
            key = f"{call}:{','.join(tasks)}"
            mine = self._is_mine(worker, grant)
            runs = [new(task) for task in tasks]
            [answer] = worker.say(Trigger(grant.run_id, grant.epoch, key, runs, wait=True, park=park))
            if mine:
                assert isinstance(answer, Triggered)
                self.runs += [handle.id for handle in answer.handles if handle.id not in self.runs]
            else:
                assert isinstance(answer, Failure) or answer.parked

    @rule(n=pick)
    def park_on_all_waits(self, n: int) -> None:
        if held := self._held(n):
            worker, grant = held
            rows = self.bench.store.read_sql("SELECT key FROM waits WHERE run_id = :id", {"id": grant.run_id})
            if rows and self._is_mine(worker, grant):
                assert isinstance(worker.park(grant, *(row["key"] for row in rows)), Parked)

    @rule(n=pick)
    def watch(self, n: int) -> None:
        if held := self._held(n):
            worker, grant = held
            rows = self.bench.store.read_sql("SELECT key FROM journal WHERE run_id = :id", {"id": grant.run_id})
            for row in rows:
                worker.say(Watch(grant.run_id, grant.epoch, row["key"]))

    @rule(n=pick, draining=st.booleans())
    def release(self, n: int, draining: bool) -> None:
        if held := self._held(n):
            worker, grant = held
            worker.say(Release([(grant.run_id, grant.epoch)], draining=draining))
            if draining and worker in self.workers:
                self.workers.remove(worker)
                self.workers.append(self._new_worker())

    @rule(n=pick)
    def reconnect(self, n: int) -> None:
        self.workers[n % len(self.workers)].hello()

    @rule(n=pick)
    def lose_worker(self, n: int) -> None:
        gone = self.workers.pop(n % len(self.workers))
        self.bench.engine.lose_worker(gone.id, "killed")
        self.gone.append(gone)
        self.workers.append(self._new_worker())

    # What time and operators do.

    @rule(seconds=st.sampled_from([0.001, 1, 3, 11, 31]))
    def time_passes(self, seconds: float) -> None:
        self.bench.pass_time(seconds)

    @rule(seconds=st.sampled_from([20, 50, 100]))
    def leases_are_watched(self, seconds: int) -> None:
        before = {worker.id for worker in self.workers}
        lost = set(self.bench.watch_leases(seconds, self.workers[0]))
        assert self.workers[0].id not in lost
        for worker in [worker for worker in self.workers if worker.id in lost & before]:
            self.workers.remove(worker)
            self.workers.append(self._new_worker())

    @rule(limit=st.sampled_from([1, 2, 3]))
    def the_limit_changes(self, limit: int) -> None:
        self.bench.set_limit("one", limit)

    @rule(paused=st.booleans())
    def a_queue_is_paused(self, paused: bool) -> None:
        before = self._executing()
        self.bench.engine.pause_queue("one", paused)
        assert self._executing() == before

    # What must always be true.

    @invariant()
    def limits_hold(self) -> None:
        executing = [(row["queue"], row["concurrency_key"]) for row in self._rows("EXECUTING")]
        now = Counter(queue for queue, _ in executing)
        # A limit that is lowered takes nothing away from what executes, it only keeps it from growing.
        limit = self.bench.store.read("find_queue", env="dev", name="one")[0]["limit_n"]
        before = getattr(self, "executing_of_one", 0)
        assert now["one"] <= max(limit, before)
        self.executing_of_one = now["one"]
        assert all(n <= 1 for (queue, key), n in Counter(executing).items() if queue == "keyed" and key)
        assert len(executing) <= ENV_LIMIT

    @invariant()
    def epochs_rise_and_ends_are_ends(self) -> None:
        for row in self._rows():
            assert row["epoch"] >= self.known_epoch.get(row["id"], 0), "an epoch fell"
            self.known_epoch[row["id"]] = row["epoch"]
            if row["id"] in self.known_end:
                end = (row["state"], row["output"], row["finished_at"])
                assert end == self.known_end[row["id"]], "an end changed"
            elif row["state"] in FINAL:
                self.known_end[row["id"]] = (row["state"], row["output"], row["finished_at"])

    @invariant()
    def each_end_is_told_once(self) -> None:
        sql = "SELECT run_id, count(*) AS n FROM events WHERE kind = 'finish' GROUP BY run_id"
        ends = {row["run_id"]: row["n"] for row in self.bench.store.read_sql(sql, {})}
        finals = {row["id"] for row in self._rows() if row["state"] in FINAL}
        assert ends == dict.fromkeys(finals, 1)

    @invariant()
    def what_executes_is_held_by_a_worker_that_lives(self) -> None:
        sql = """SELECT r.id FROM runs r LEFT JOIN workers w ON w.id = r.worker_id
                 WHERE (r.state = 'EXECUTING') <> (r.worker_id IS NOT NULL)
                    OR (r.state = 'EXECUTING' AND w.state IS NOT 'alive' AND w.state IS NOT 'draining')"""
        assert not self.bench.store.read_sql(sql, {})

    @invariant()
    def a_duty_is_of_a_run_that_has_ended_and_nobody_dead_holds_one(self) -> None:
        sql = """SELECT d.run_id FROM duties d JOIN runs r ON r.id = d.run_id LEFT JOIN workers w ON w.id = d.worker_id
                 WHERE r.finished_at IS NULL OR d.status <> r.state OR d.tries >= 3 OR d.epoch < r.epoch
                    OR (d.worker_id IS NOT NULL AND (w.state IS 'dead' OR d.epoch = r.epoch))"""
        assert not self.bench.store.read_sql(sql, {})

    @invariant()
    def waits_count_exactly_what_is_unfinished(self) -> None:
        sql = """SELECT w.run_id, w.key, w.pending,
                        (SELECT count(*) FROM children c JOIN runs r ON r.id = c.child_id
                         WHERE c.run_id = w.run_id AND c.key = w.key AND r.finished_at IS NULL) AS unfinished
                 FROM waits w"""
        for row in self.bench.store.read_sql(sql, {}):
            assert row["pending"] == row["unfinished"], dict(row)

    @invariant()
    def who_waits_has_something_to_wait_for(self) -> None:
        sql = """SELECT r.id FROM runs r WHERE r.state = 'WAITING' AND (
                     NOT EXISTS (SELECT 1 FROM waits w WHERE w.run_id = r.id AND w.pending > 0)
                  OR EXISTS (SELECT 1 FROM waits w WHERE w.run_id = r.id AND w.pending <= 0)
                  OR r.cancel_requested_at IS NOT NULL)"""
        assert not self.bench.store.read_sql(sql, {})

    @invariant()
    def no_wait_is_left_over(self) -> None:
        sql = """SELECT w.run_id FROM waits w JOIN runs r ON r.id = w.run_id
                 WHERE r.finished_at IS NOT NULL OR NOT r.has_waits OR r.state = 'DELAYED'"""
        assert not self.bench.store.read_sql(sql, {})

    @invariant()
    def what_is_queued_has_its_lane(self) -> None:
        sql = """SELECT r.id FROM runs r WHERE r.state = 'QUEUED' AND NOT EXISTS (
                     SELECT 1 FROM lanes l WHERE l.env = r.env AND l.queue = r.queue
                                             AND l.concurrency_key = r.concurrency_key)"""
        assert not self.bench.store.read_sql(sql, {})

    @invariant()
    def what_is_reserved_is_reserved_for_someone_who_lives(self) -> None:
        sql = """SELECT r.id FROM runs r LEFT JOIN workers w ON w.id = r.sticky_worker
                 WHERE (r.resume = -1 AND r.state = 'QUEUED' AND r.sticky_until IS NULL)
                    OR (r.sticky_worker IS NOT NULL AND w.state IS NOT 'alive')"""
        assert not self.bench.store.read_sql(sql, {})

    # How it looks inside.

    def _rows(self, state: str | None = None) -> list[Any]:
        sql = "SELECT id, state, epoch, output, finished_at, queue, concurrency_key FROM runs"
        return self.bench.store.read_sql(sql + (" WHERE state = :state" if state else ""), {"state": state})

    def _executing(self) -> list[str]:
        return sorted(row["id"] for row in self._rows("EXECUTING"))

    def _duty(self, worker: Worker, grant: Grant) -> list[Any]:
        """The row of the duty, if the worker holds it."""
        values = {"id": grant.run_id, "epoch": grant.epoch, "worker": worker.id}
        return self.bench.store.read("fence_duty", **values)

    def _is_mine(self, worker: Worker, grant: Grant) -> bool:
        row = self.bench.row(grant.run_id)
        return (row["state"], row["epoch"], row["worker_id"]) == ("EXECUTING", grant.epoch, worker.id)


class LongEngineMachine(EngineMachine):
    """The same for many more and longer lives."""


_patient = settings(
    max_examples=120,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
EngineMachine.TestCase.settings = _patient
LongEngineMachine.TestCase.settings = settings(_patient, max_examples=2_000, stateful_step_count=150)
TestEngine = EngineMachine.TestCase
TestEngineForLong = pytest.mark.soak(LongEngineMachine.TestCase)
