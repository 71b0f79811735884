"""One execution of a run: its program, its journal, its branches. What a worker keeps in memory while the run waits."""

from __future__ import annotations

import json
from collections.abc import Callable, Generator, Sequence
from hashlib import blake2b
from random import Random
from typing import Any, NamedTuple, Protocol

from tests.simulation import programs
from tests.simulation.programs import Program

from detent.model.ids import derived_id
from detent.model.protocol import (
    Done,
    Entry,
    Finish,
    Grant,
    Leave,
    NewRun,
    Park,
    Parked,
    Record,
    RunResult,
    Trigger,
    Triggered,
    Wait,
    WaitResult,
    Watch,
)

__all__ = ["Branch", "Frame", "Outside"]

MAX_ATTEMPTS = 3

Code = Generator[Any, Any, Any]


class Failed(Exception):
    """The program raised."""


class Left(Exception):
    """The wait was given up from inside."""


class Outside(Protocol):
    """What is outside a worker: the effects of steps, tokens, and whoever writes down what runs are told."""

    def effect(self, frame: Frame, key: str) -> str: ...

    def told(self, frame: Frame, key: str, value: Any) -> None: ...

    def make_token(self, token: str, timeout_ms: int | None) -> None: ...


class Branch:
    """A line of execution. `state`: ready, saying (a request is under way), blocked (on the wait `key`), joining,
    done."""

    def __init__(self, code: Code, parent: Branch | None = None) -> None:
        self.code = code
        self.parent = parent
        self.state = "ready"
        self.value: Any = None
        self.error: Exception | None = None
        self.key = ""
        self.impatient = False
        self.left = 0


class _Blocked(NamedTuple):
    """A branch waits for the results of `key`. `impatient`: it may give up."""

    key: str
    impatient: bool = False


class Frame:
    """A run in the memory of a worker.

    Parameters:
      say: sends a request of the run; calls back with the answer.
    """

    def __init__(
        self,
        grant: Grant,
        program: Program,
        chance: Random,
        outside: Outside,
        say: Callable[[Frame, Any, Callable[[Any], None]], None],
    ) -> None:
        self.grant = grant
        self.run_id = grant.run_id
        self.epoch = grant.epoch
        self.attempt = grant.attempt
        self.parked = False
        self.over = False
        self._parking = False
        self._program = program
        self._chance = chance
        self._outside = outside
        self._say = say
        self._recorded: dict[str, Entry] = {}
        self._early: dict[str, WaitResult] = {}
        self._seq = 0
        self._main: Branch
        self.branches: list[Branch] = []

    # Beginning, and going on.

    def begin(self, entries: Sequence[Entry]) -> None:
        """Execute the program from its beginning over what is recorded."""
        for entry in entries:
            self._seq = max(self._seq, entry.seq + 1)
            if entry.attempt == self.attempt or (entry.status == "ok" and entry.kind != "trigger"):
                self._recorded[entry.key] = entry
        self._main = Branch(self._sequence(self._program, ""))
        self.branches = [self._main]

    def go_on(self, grant: Grant) -> None:
        """The parked frame has been claimed again."""
        self.grant, self.epoch, self.parked, self._parking = grant, grant.epoch, False, False
        for result in grant.results:
            self.deliver(result)

    def deliver(self, result: WaitResult) -> None:
        """A wait is satisfied; perhaps before the branch knows that it waits."""
        for branch in self.branches:
            if branch.state == "blocked" and branch.key == result.key:
                branch.state, branch.value = "ready", result
                return
        self._early[result.key] = result

    # What can be done now.

    def ready(self) -> list[Branch]:
        """The branches that can go on."""
        if self.parked or self.over:
            return []
        return [branch for branch in self.branches if branch.state == "ready"]

    def impatient(self) -> list[Branch]:
        """The branches that may give up their waits, also while the frame is parked."""
        if self.over or (self._parking and not self.parked):
            return []
        return [branch for branch in self.branches if branch.state == "blocked" and branch.impatient]

    def blocked_keys(self) -> list[str]:
        return [branch.key for branch in self.branches if branch.state == "blocked"]

    def advance(self, branch: Branch) -> None:
        """One turn of `branch`."""
        try:
            if branch.error is not None:
                error, branch.error = branch.error, None
                asked = branch.code.throw(error)
            else:
                value, branch.value = branch.value, None
                asked = branch.code.send(value)
        except StopIteration as end:
            self._end(branch, end.value, None)
        except Failed as error:
            self._end(branch, None, error)
        else:
            self._ask(branch, asked)
        self._park_if_blocked()

    def give_up(self, branch: Branch) -> None:
        """The branch leaves its wait."""
        branch.state = "saying"

        def left(answer: Any) -> None:
            branch.state, branch.error = "ready", Left()

        self._say(self, Leave(self.run_id, self.epoch, branch.key), left)

    def cancel(self) -> None:
        """Stop: the run is to be cancelled."""
        if not self.over:
            self._finish(Finish(self.run_id, self.epoch, "CANCELED"))

    def watch(self) -> None:
        """Pushes may have been lost: ask again."""
        for key in [] if self.parked or self.over else self.blocked_keys():
            self._say(self, Watch(self.run_id, self.epoch, key), self._told_satisfied)

    # How branches end and ask.

    def _end(self, branch: Branch, value: Any, error: Failed | None) -> None:
        branch.state = "done"
        if branch is self._main:
            self._finish(self._last_word(value, error))
            return
        parent = branch.parent
        assert parent is not None
        self.branches.remove(branch)
        branch.value, branch.error = value, error
        parent.left -= 1
        if parent.left == 0:
            parent.state = "ready"

    def _last_word(self, value: Any, error: Failed | None) -> Finish:
        if error is None:
            return Finish(self.run_id, self.epoch, "COMPLETED", output=json.dumps(value))
        text = json.dumps({"type": "Failed", "message": str(error), "code": "failed"})
        if self.attempt < MAX_ATTEMPTS:
            # A moment long gone: the clock is the engine's.
            return Finish(self.run_id, self.epoch, "DELAYED", error=text, retry_at=1)
        return Finish(self.run_id, self.epoch, "FAILED", error=text)

    def _finish(self, request: Finish) -> None:
        self.over = True
        self._say(self, request, lambda answer: None)

    def _ask(self, branch: Branch, asked: Any) -> None:
        if asked is None:
            branch.state = "ready"
        elif isinstance(asked, list):
            children = [Branch(code, branch) for code in asked]
            branch.state, branch.left, branch.value = "joining", len(children), children
            self.branches += children
        elif isinstance(asked, _Blocked):
            early = self._early.pop(asked.key, None)
            branch.key, branch.impatient = asked.key, asked.impatient
            branch.state, branch.value = ("blocked", None) if early is None else ("ready", early)
        else:
            branch.state = "saying"

            def answered(answer: Any) -> None:
                branch.state, branch.value = "ready", answer
                if isinstance(answer, (Parked, Triggered)) and answer.parked:
                    self._was_parked()

            self._parking = self._parking or getattr(asked, "park", False)
            self._say(self, asked, answered)

    def _parks(self) -> bool:
        """Whether nothing else of the run is going on or waits, so that the wait may park it at once."""
        lines = [branch for branch in self.branches if branch.state != "joining"]
        return len(lines) == 1 and self._chance.random() < 0.8

    def _park_if_blocked(self) -> None:
        if self.over or self.parked or self._parking:
            return
        if all(branch.state in ("blocked", "joining") for branch in self.branches):
            self._parking = True
            self._say(self, Park(self.run_id, self.epoch, self.blocked_keys()), self._parked_or_told)

    def _parked_or_told(self, answer: Parked) -> None:
        self._parking = False
        if answer.parked:
            self._was_parked()
        for result in answer.results:
            self.deliver(result)

    def _was_parked(self) -> None:
        # The branch whose words have parked the run is told so at once, and blocks.
        self.parked, self._parking = True, False
        for branch in [branch for branch in self.branches if branch.state == "ready"]:
            self.advance(branch)

    def _told_satisfied(self, answer: Parked) -> None:
        for result in answer.results:
            self.deliver(result)

    # The program.

    def _sequence(self, ops: Program, path: str) -> Code:
        values: list[Any] = []
        for place, op in enumerate(ops):
            yield None
            values.append((yield from self._op(op, f"{path}/{type(op).__name__.lower()}#{place}", values)))
        return values

    def _op(self, op: programs.Op, key: str, values: list[Any]) -> Code:
        match op:
            case programs.Step():
                return (yield from self._step(key))
            case programs.Fail(until_attempt):
                if self.attempt <= until_attempt:
                    raise Failed(f"{key} in attempt {self.attempt}")
                return None
            case programs.Fork(even, odd):
                said = blake2b(json.dumps(values).encode(), digest_size=1).digest()[0]
                return (yield from self._sequence((even, odd)[said % 2], f"{key}.{said % 2}"))
            case programs.Gather(branches):
                codes = [self._sequence(ops, f"{key}.{place}") for place, ops in enumerate(branches)]
                children = yield codes
                for child in children:
                    if child.error is not None:
                        raise child.error
                return [child.value for child in children]
            case programs.Trigger():
                return (yield from self._trigger(op, key))
            case programs.Sleep(ms):
                return (yield from self._wait(key, "time", "", for_ms=ms))
            case programs.Token(timeout_ms, wait_ms, impatient):
                known = self._recorded.get(key)
                # A fork waits for what its source waited for.
                token = derived_id("waitpoint", self.run_id, key, 0, 0) if known is None else known.target
                self._outside.make_token(token, timeout_ms)
                return (yield from self._wait(key, "token", token, for_ms=wait_ms, impatient=impatient))

    def _step(self, key: str) -> Code:
        known = self._recorded.get(key)
        if known is not None:
            assert known.kind == "step", f"{key} is recorded as {known.kind}"
            return self._hear(key, known.value)
        value = self._outside.effect(self, key)
        yield None
        entry = Entry(key, "step", "s", self._next_seq(), value=value)
        assert (yield Record(self.run_id, self.epoch, [entry])) == Done()
        return self._hear(key, value)

    def _trigger(self, op: programs.Trigger, key: str) -> Code:
        known = self._recorded.get(key)
        runs = [NewRun("", task, json.dumps(key), known=True) for task in op.tasks]
        seq = self._next_seq() if known is None else known.seq
        park = op.wait and self._parks()
        request = Trigger(self.run_id, self.epoch, key, runs, wait=op.wait, park=park, seq=seq)
        answer = yield request
        assert isinstance(answer, Triggered), answer
        handles = [handle.id for handle in answer.handles]
        self._hear(f"{key} made", handles)
        if not op.wait:
            return handles
        result = answer.result
        if result is None:
            self._parking = self._parking and answer.parked
            result = yield _Blocked(key)
        assert [run.id for run in result.runs] == handles, "the results of other runs"
        return self._hear(key, [_shown(run) for run in result.runs])

    def _wait(self, key: str, kind: str, target: str, *, for_ms: int | None, impatient: bool = False) -> Code:
        known = self._recorded.get(key)
        if known is not None:
            assert (known.kind, known.target) == (kind, target), f"{key} is recorded as {known.kind}"
            if known.status == "left":
                return self._hear(key, "left")
            if known.status != "open":
                return self._hear(key, ["COMPLETED" if known.status == "ok" else "TIMED_OUT", known.value])
        seq = self._next_seq() if known is None else known.seq
        park = self._parks()
        answer = yield Wait(self.run_id, self.epoch, key, seq, kind, target, for_ms=for_ms, park=park)
        assert isinstance(answer, Parked), answer
        self._parking = self._parking and answer.parked
        if answer.results:
            [result] = answer.results
        else:
            try:
                result = yield _Blocked(key, impatient)
            except Left:
                return self._hear(key, "left")
        return self._hear(key, [result.status, result.output])

    def _hear(self, key: str, value: Any) -> Any:
        self._outside.told(self, key, value)
        return value

    def _next_seq(self) -> int:
        self._seq += 1
        return self._seq


def _shown(run: RunResult) -> list[str | None]:
    return [run.id, run.status, run.output]
