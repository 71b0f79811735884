"""What the clients of the simulated world ask for: runs, ends, tokens completed, decisions."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.engine.bench import Bench

from detent.errors import Conflict
from detent.model.protocol import Debounce, NewRun

__all__ = ["Clients"]


class Clients:
    """Ask the engine for what chance says.

    Parameters:
      tasks: what they may trigger.
      new_id: a new id with this prefix.
    """

    def __init__(self, chance: Random, bench: Bench, tasks: list[str], new_id: Callable[[str], str]) -> None:
        self.chance = chance
        self.bench = bench
        self.tasks = tasks
        self.new_id = new_id
        self.runs: list[str] = []
        self.tokens: list[str] = []

    def hear_of(self, token: str) -> None:
        """A run waits for somebody to complete this."""
        if token not in self.tokens:
            self.tokens.append(token)

    def ask(self) -> None:
        """Something, by chance."""
        self.chance.choice([self._trigger, self._trigger, self._complete, self._complete, self._cancel, self._decide])()

    def _trigger(self) -> None:
        runs = [self._new_run() for _ in range(self.chance.choice([1, 1, 3]))]
        for _ in range(self.chance.choice([1, 1, 2])):
            handles = self.bench.engine.trigger(runs)
        self.runs += [handle.id for handle in handles if handle.id not in self.runs]

    def _new_run(self) -> NewRun:
        chance = self.chance
        run = NewRun(self.new_id("run"), chance.choice(self.tasks), "{}", concurrency_key=chance.choice(["", "x", "y"]))
        match chance.randrange(8):
            case 0:
                run.delay_ms = 3_000
            case 1:
                run.ttl_ms = 20_000
            case 2:
                run.idempotency_key = chance.choice("kl")
            case 3:
                run.debounce = Debounce(chance.choice("pq"), 2_000, chance.choice(["leading", "trailing"]))
        return run

    def _complete(self) -> None:
        if self.tokens:
            token = self.chance.choice(self.tokens[-8:])
            try:
                self.bench.engine.complete_waitpoint(token, f'"{token}"', by=self.new_id("call"))
            except Conflict:
                return

    def _cancel(self) -> None:
        if self.runs and self.chance.random() < 0.4:
            try:
                self.bench.engine.cancel(self.chance.choice(self.runs[-10:]))
            except Conflict:
                return

    def _decide(self) -> None:
        """Somebody decides about runs that are paused."""
        for run_id in self._paused():
            how = self.chance.choice(["resume", "resume", "fork", "cancel"])
            if how == "resume":
                self.bench.engine.resume(run_id)
                continue
            if how == "fork":
                new_id = self.new_id("run")
                self.bench.engine.fork(run_id, new_id=new_id)
                self.runs.append(new_id)
            self.bench.engine.cancel(run_id)

    def answer_everything(self) -> None:
        """What waits for people is decided: paused runs are resumed, tokens are completed."""
        for run_id in self._paused():
            self.bench.engine.resume(run_id)
        for token in self.tokens:
            try:
                self.bench.engine.complete_waitpoint(token, '"at last"', by="the end")
            except Conflict:
                continue
        self.tokens.clear()

    def _paused(self) -> list[str]:
        sql = "SELECT id FROM runs WHERE paused IS NOT NULL AND state = 'WAITING' ORDER BY seq"
        return [row["id"] for row in self.bench.store.read_sql(sql, {})]
