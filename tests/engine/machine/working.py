"""What workers do with the runs and the duties that they were granted: claim, end, hand over, die."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule
from tests.engine.bench import Worker
from tests.engine.machine.world import World, pick

from detent.model.limits import CRASHES
from detent.model.protocol import (
    Claim,
    Claimed,
    Done,
    DutyDone,
    Emit,
    Failure,
    Finish,
    Grant,
    Recall,
    Recalled,
    Release,
    Triggered,
)

__all__ = ["Working"]


class Working(World):
    @rule(n=pick, room=st.integers(1, 3))
    def claim(self, n: int, room: int) -> None:
        worker = self.workers[n % len(self.workers)]
        [answer] = worker.say(Claim(sync=room, async_=room))
        assert isinstance(answer, Claimed)
        for grant in answer.grants:
            if grant.duty:
                self.duties.append((worker, grant))
                continue
            self.grants.append((worker, grant))
            entries = self.journal(grant.run_id)
            assert grant.recall or not entries, "a journal is not read"
            if grant.recall:
                [recalled] = worker.say(Recall(grant.run_id, grant.epoch))
                assert isinstance(recalled, Recalled)
                assert {entry.key for entry in recalled.entries} == set(entries)
                assert [entry.seq for entry in recalled.entries] == sorted(entry.seq for entry in recalled.entries)

    @rule(n=pick, room=st.integers(1, 3))
    def hand_over(self, n: int, room: int) -> None:
        """A run changes hands, so that whoever had it before is a zombie."""
        if held := self.held(n):
            worker, grant = held
            worker.say(Release([(grant.run_id, grant.epoch)], draining=False))
            self.claim(n, room)

    @rule(
        n=pick,
        status=st.sampled_from(["COMPLETED", "COMPLETED", "FAILED", "TIMED_OUT", "DELAYED"]),
        unattended=st.booleans(),
    )
    def finish(self, n: int, status: str, unattended: bool) -> None:
        if held := self.held(n):
            worker, grant = held
            retry_at = self.bench.clock.now() + 3_000 if status == "DELAYED" else None
            output = f'"{grant.run_id}"' if status == "COMPLETED" else None
            more = {"retry_at": retry_at, "unattended": unattended and status == "TIMED_OUT", "output": output}
            assert self.say_twice(worker, Finish(grant.run_id, grant.epoch, status, **more)) == Done()

    @rule(n=pick)
    def emit(self, n: int) -> None:
        if held := self.held(n):
            worker, grant = held
            request = Emit(grant.run_id, grant.epoch, started_at=self.bench.clock.now(), tags=["seen"])
            assert self.say_twice(worker, request) == Done()

    @precondition(lambda self: self.duties)
    @rule(n=pick, verb=st.sampled_from(["done", "release", "trigger"]))
    def a_worker_attends_to_a_duty(self, n: int, verb: str) -> None:
        """Whoever has it, or had it once."""
        worker, grant = self.duties[-1 - n % min(8, len(self.duties))]
        held = self._has_duty(worker, grant)
        before = self.row(grant.run_id)
        if verb == "done":
            worker.say(DutyDone(grant.run_id, grant.epoch))
        elif verb == "release":
            worker.say(Release([(grant.run_id, grant.epoch)], draining=False))
        else:
            answer = worker.trigger(grant, "alert", "c", "c")
            assert isinstance(answer, Triggered if held else Failure)
            if held:
                assert worker.trigger(grant, "alert", "c", "c") == answer, "said again"
                self.remember([handle.id for handle in answer.handles])
        assert self._has_duty(worker, grant) == (held and verb == "trigger")
        after = self.row(grant.run_id)
        assert before is None or tuple(after or ()) == tuple(before), "a duty changed its run"

    @rule(n=pick, draining=st.booleans())
    def release(self, n: int, draining: bool) -> None:
        if held := self.held(n):
            worker, grant = held
            worker.say(Release([(grant.run_id, grant.epoch)], draining=draining))
            assert not self.holds(worker, grant)
            if draining:
                assert not any(self.keeps(worker, grant) for worker, grant in self.grants if worker is held[0])
                if worker in self.workers:
                    self.replace(worker)

    @rule(n=pick, kept=st.booleans())
    def reconnect(self, n: int, kept: bool) -> None:
        """With all that it was granted, or without what never arrived."""
        worker = self.workers[n % len(self.workers)]
        holds = [(grant.run_id, grant.epoch) for other, grant in self.grants + self.duties if other is worker and kept]
        worker.hello(again=True, holds=holds)
        for other, grant in self.grants[-40:]:
            assert kept or other is not worker or not self.holds(worker, grant)

    @rule(n=pick, stopped=st.booleans())
    def lose_worker(self, n: int, stopped: bool) -> None:
        gone = self.workers[n % len(self.workers)]
        held = self.bench.store.read("held_runs", worker=gone.id)
        for _ in range(2):  # its supervisor, and the lease
            self.bench.engine.lose_worker(gone.id, "killed", stopped=stopped)
        for before in held:
            after = self.bench.row(before["id"])
            if before["cancel_requested_at"] is not None:
                assert after["state"] == "CANCELED"
            elif stopped:
                assert (after["state"], after["crashes"]) == ("QUEUED", before["crashes"])
            elif before["crashes"] + 1 >= CRASHES:
                assert after["state"] == "CRASHED"
            else:
                assert (after["state"], after["crashes"]) == ("QUEUED", before["crashes"] + 1)
        self.gone.append(gone)
        self.replace(gone)

    @precondition(lambda self: self.gone)
    @rule(n=pick)
    def the_dead_claim(self, n: int) -> None:
        gone = self.gone[n % len(self.gone)]
        before = self.dump()
        [answer] = gone.say(Claim(sync=1, async_=1))
        assert isinstance(answer, Failure) or (gone.session.draining and not answer.grants)
        assert self.dump() == before
        if self.bench.store.read("find_worker", id=gone.id):
            assert isinstance(gone.beat(), Failure)
            assert isinstance(gone.hello(), Failure)

    def _has_duty(self, worker: Worker, grant: Grant) -> bool:
        values = {"id": grant.run_id, "epoch": grant.epoch, "worker": worker.id}
        return bool(self.bench.store.read("fence_duty", **values))
