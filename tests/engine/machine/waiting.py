"""How runs trigger, take steps, wait, park, leave, and are evicted or paused."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.engine.bench import new
from tests.engine.machine.world import World, pick

from detent.model.protocol import (
    Done,
    Entry,
    Leave,
    Park,
    Parked,
    Pause,
    Record,
    Release,
    Trigger,
    Triggered,
    Wait,
    Watch,
)

__all__ = ["Waiting"]


class Waiting(World):
    @rule(
        n=pick,
        tasks=st.lists(st.sampled_from("abc"), min_size=1, max_size=3),
        call=st.integers(0, 3),
        park=st.booleans(),
    )
    def trigger_and_wait(self, n: int, tasks: list[str], call: int, park: bool) -> None:
        if held := self.held(n):
            worker, grant = held
            key = f"{call}:{','.join(tasks)}"
            runs = [new(task) for task in tasks]
            seq = self.next_seq(grant.run_id)
            request = Trigger(grant.run_id, grant.epoch, key, runs, wait=True, park=park, seq=seq)
            answer = self.say_twice(worker, request)
            assert isinstance(answer, Triggered)
            self.remember([handle.id for handle in answer.handles])

    @rule(n=pick, step=st.integers(0, 2))
    def take_a_step(self, n: int, step: int) -> None:
        """Once it is recorded it is not taken again, neither here nor in a later attempt."""
        if held := self.held(n):
            worker, grant = held
            known = self.journal(grant.run_id).get(f"step#{step}")
            if known is None:
                entry = Entry(f"step#{step}", "step", "s", self.next_seq(grant.run_id), value=f'"{n}"')
                assert self.say_twice(worker, Record(grant.run_id, grant.epoch, [entry])) == Done()

    @rule(
        n=pick,
        seconds=st.sampled_from([0, 2, 12]),
        call=st.integers(0, 2),
        park=st.booleans(),
        shared=st.booleans(),
    )
    def wait_for_time(self, n: int, seconds: int, call: int, park: bool, shared: bool) -> None:
        if held := self.held(n):
            key = "moment" if shared else None
            self._wait(*held, f"time#{call}", "time", "", park=park, for_ms=seconds * 1000, idempotency_key=key)

    @rule(n=pick, token=pick, seconds=st.sampled_from([None, None, 2, 12]), call=st.integers(0, 2), park=st.booleans())
    def wait_for_a_token(self, n: int, token: int, seconds: int | None, call: int, park: bool) -> None:
        held = self.held(n)
        if held and self.tokens:
            known = self.journal(held[1].run_id).get(f"token#{call}")
            target = self.tokens[-1 - token % min(6, len(self.tokens))] if known is None else known["target"]
            for_ms = None if seconds is None else seconds * 1000
            self._wait(*held, f"token#{call}", "token", target, park=park, for_ms=for_ms)

    def _wait(self, worker: Any, grant: Any, key: str, kind: str, target: str, **more: Any) -> None:
        known = self.journal(grant.run_id).get(key)
        if known is not None and known["status"] == "left":
            return  # what was left is not waited for again
        seq = self.next_seq(grant.run_id) if known is None else known["seq"]
        to_stop = self.bench.row(grant.run_id)["cancel_requested_at"] is not None
        answer = self.say_twice(worker, Wait(grant.run_id, grant.epoch, key, seq, kind, target, **more))
        assert isinstance(answer, Parked), answer
        after = self.journal(grant.run_id)[key]
        assert bool(answer.results) == (after["status"] != "open")
        assert answer.parked == (more["park"] and not answer.results and not to_stop)

    @rule(n=pick)
    def park_on_all_waits(self, n: int) -> None:
        if held := self.held(n):
            worker, grant = held
            keys = self._waits(grant.run_id)
            if keys:
                answer = self.say_twice(worker, Park(grant.run_id, grant.epoch, keys))
                assert isinstance(answer, Parked)

    @rule(n=pick)
    def watch(self, n: int) -> None:
        """What a run asks again of its waits it is told as often as it asks."""
        if held := self.held(n):
            worker, grant = held
            for key in self._waits(grant.run_id):
                answer = self.say_twice(worker, Watch(grant.run_id, grant.epoch, key))
                assert isinstance(answer, Parked)

    @rule(n=pick, frame=st.booleans())
    def leave_a_wait(self, n: int, frame: bool) -> None:
        """From inside a run that executes, or by the frame of one that is parked."""
        if chosen := self.parked(n) if frame else self.held(n):
            worker, grant = chosen
            keys = self._waits(grant.run_id)
            if keys:
                key = keys[n % len(keys)]
                assert self.say_twice(worker, Leave(grant.run_id, grant.epoch, key)) == Done()
                assert key not in self._waits(grant.run_id)
                assert self.state(grant.run_id) != "WAITING"

    @rule(n=pick)
    def evict(self, n: int) -> None:
        if parked := self.parked(n):
            worker, grant = parked
            request = Release(draining=False, evicted=[(grant.run_id, grant.epoch)])
            assert self.say_twice(worker, request) == Done()
            assert not self.keeps(worker, grant)

    @rule(n=pick)
    def a_parked_run_is_said_again(self, n: int) -> None:
        """The answers to a run's last words were lost: said again, they change nothing."""
        if parked := self.parked(n):
            worker, grant = parked
            before = self.dump()
            wait = Wait(grant.run_id, grant.epoch, "late#0", 99, "time", for_ms=5_000, park=True)
            entry = Entry("late#1", "step", "s", 98)
            record, park = Record(grant.run_id, grant.epoch, [entry]), Park(grant.run_id, grant.epoch, ["late#0"])
            assert worker.say(record, wait, park) == [Done(), Parked(True), Parked(True)]
            assert self.dump() == before

    @rule(n=pick)
    def pause(self, n: int) -> None:
        if held := self.held(n):
            worker, grant = held
            request = Pause(grant.run_id, grant.epoch, "step#0", "step 's'", "step 't'", "it went another way")
            assert self.say_twice(worker, request) == Done()
            assert self.state(grant.run_id) in ("WAITING", "CANCELED")

    def _waits(self, run_id: str) -> list[str]:
        return [row["key"] for row in self.bench.store.read("view_waits", run_id=run_id)]
