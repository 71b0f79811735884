"""What clients do: trigger, cancel, debounce, replay, fork, resume, complete tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.engine.bench import new
from tests.engine.machine.world import World, pick

from detent.errors import Conflict, NotFound
from detent.model.ids import new_id
from detent.model.protocol import Debounce, NewRun
from detent.model.status import FINAL

__all__ = ["Clients"]

keys = st.sampled_from(["", "x", "y"])


class Clients(World):
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
        for _ in range(2):  # the answer may be lost
            self.bench.trigger_all([run])
        self.runs.append(run.id)

    @rule(key=st.sampled_from(["k", "l"]), n=st.integers(1, 3))
    def trigger_a_batch_with_an_idempotency_key(self, key: str, n: int) -> None:
        handles = self.bench.trigger_all([new("a", idempotency_key=key), *(new("b") for _ in range(n))])
        self.remember([handle.id for handle in handles])

    @rule(key=st.sampled_from("pq"), mode=st.sampled_from(["leading", "trailing"]), most=st.sampled_from([None, 4_000]))
    def trigger_debounced(self, key: str, mode: str, most: int | None) -> None:
        run = new("c", debounce=Debounce(key, 3_000, mode, most))
        run.payload = text = f'"{run.id}"'
        [handle] = self.bench.trigger_all([run])
        before = self.dump()
        assert self.bench.trigger_all([run])[0].id == handle.id
        assert self.dump() == before, "a debounced trigger said again wrote again"
        self.remember([handle.id])
        row = self.bench.row(handle.id)
        assert (row["state"], row["attempt"]) == ("DELAYED", 1)
        assert row["wake_at"] <= self.bench.clock.now() + 3_000
        assert not handle.cached or (row["payload"] == text) == (mode == "trailing")
        sql = """SELECT count(*) AS n FROM runs r JOIN debounces d ON d.run_id = r.id
                 WHERE d.key = :key AND r.state = 'DELAYED'"""
        assert self.bench.store.read_sql(sql, {"key": key})[0]["n"] == 1

    @rule(n=pick)
    def cancel(self, n: int) -> None:
        run_id = self._one(n)
        if run_id is not None:
            try:
                self.bench.engine.cancel(run_id)
            except Conflict:
                assert self.state(run_id) in FINAL - {"CANCELED"}
            else:
                row = self.bench.row(run_id)
                assert row["state"] == "CANCELED" or row["cancel_requested_at"] is not None

    @rule(n=pick, how=st.sampled_from(["replay", "fork", "fork at"]))
    def run_again(self, n: int, how: str) -> None:
        run_id = self._one(n)
        if run_id is None:
            return
        engine, entries = self.bench.engine, self.journal(run_id)
        at = sorted(entries)[n % len(entries)] if entries and how == "fork at" else None
        made = new_id("run")

        def act() -> Any:
            if how == "replay":
                return engine.replay(run_id, NewRun(made, self.bench.row(run_id)["task"]))
            return engine.fork(run_id, at, new_id=made)

        before = self.dump("runs", "events", "journal", "children")
        assert self._twice(act).id == made
        assert self.dump("runs", "events", "journal", "children") == before, "a copy changed what it is not"
        kept = self.journal(made)
        limit = entries[at]["seq"] if at is not None else None
        assert how != "replay" or not kept
        for key, row in kept.items():
            assert (row["value"], row["status"]) == (entries[key]["value"], entries[key]["status"]) != (None, "open")
            assert limit is None or row["seq"] < limit
        self.runs.append(made)

    @rule(n=pick)
    def resume(self, n: int) -> None:
        sql = "SELECT id FROM runs WHERE paused IS NOT NULL AND state = 'WAITING' ORDER BY seq"
        paused = [row["id"] for row in self.bench.store.read_sql(sql, {})]
        run_id = paused[n % len(paused)] if paused and n % 5 else self._one(n)
        if run_id in paused:
            self.bench.engine.resume(run_id)
            assert self.state(run_id) == "QUEUED"
        elif run_id is not None:
            before = self.dump()
            try:
                self.bench.engine.resume(run_id)
            except Conflict:
                assert self.dump() == before
            else:
                raise AssertionError("a run that is not paused was resumed")

    # Tokens.

    @rule(timeout=st.sampled_from([None, 2, 15]), key=st.sampled_from([None, None, "t"]))
    def make_a_token(self, timeout: int | None, key: str | None) -> None:
        due_at = None if timeout is None else self.bench.clock.now() + timeout * 1000
        values = {"due_at": due_at, "idempotency_key": key, "idempotency_ttl_ms": 8_000}
        token = new_id("waitpoint")
        made = self._twice(lambda: self.bench.engine.create_waitpoint(id=token, **values))
        if made.row["id"] not in self.tokens:
            self.tokens.append(made.row["id"])

    @rule(n=pick)
    def complete_a_token(self, n: int) -> None:
        """Once more, too; one that ran out, too."""
        if not self.tokens:
            return
        token = self.tokens[-1 - n % min(6, len(self.tokens))]
        engine = self.bench.engine
        [before] = self.bench.store.read("find_waitpoint", id=token)
        by, output = new_id("call"), f"{n}"
        open_ = before["status"] == "WAITING" and (before["due_at"] or 2**62) > self.bench.clock.now()
        try:
            after = self._twice(lambda: engine.complete_waitpoint(token, output, by=by))
        except Conflict:
            assert not open_
            assert tuple(self.bench.store.read("find_waitpoint", id=token)[0]) == tuple(before)
        else:
            assert open_
            assert (after["status"], after["output"]) == ("COMPLETED", output)
        try:
            engine.complete_waitpoint("waitpoint_x", "1")
        except NotFound:
            return
        raise AssertionError("a token that is not was completed")

    def _one(self, n: int) -> str | None:
        choice = [run_id for run_id in self.runs[-30:] if self.row(run_id) is not None]
        return choice[n % len(choice)] if choice else None

    def _twice(self, act: Callable[[], Any]) -> Any:
        """`act`, and again, as by a client whose answer was lost; the first answer."""
        answer = act()
        before = self.dump()
        act()
        assert self.dump() == before, "asked again, it wrote again"
        return answer
