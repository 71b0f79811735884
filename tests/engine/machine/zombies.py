"""Whoever has lost a run may say what it likes: nothing of it is written."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule
from tests.engine.bench import new
from tests.engine.machine.world import World, pick

from detent.model.protocol import (
    DutyDone,
    Emit,
    Entry,
    Failure,
    Finish,
    Leave,
    Park,
    Pause,
    Recall,
    Record,
    Release,
    Trigger,
    Wait,
    Watch,
)

__all__ = ["WORDS", "Zombies"]

#: Every verb that names a run and its epoch, and a fit of words.
WORDS: dict[str, Any] = {
    "complete": lambda run, epoch, key: Finish(run, epoch, "COMPLETED", output='"zombie"'),
    "fail": lambda run, epoch, key: Finish(run, epoch, "FAILED", error='{"type":"Zombie"}'),
    "retry": lambda run, epoch, key: Finish(run, epoch, "DELAYED", retry_at=1),
    "record": lambda run, epoch, key: Record(run, epoch, [Entry(key, "step", "z", 0, value='"zombie"')], [(key, 7)]),
    "recall": lambda run, epoch, key: Recall(run, epoch),
    "trigger": lambda run, epoch, key: Trigger(run, epoch, "zombie", [new("a")]),
    "trigger and park": lambda run, epoch, key: Trigger(run, epoch, "zombie", [new("a")], wait=True, park=True),
    "wait": lambda run, epoch, key: Wait(run, epoch, "zombie", 9, "time", for_ms=1),
    "wait and park": lambda run, epoch, key: Wait(run, epoch, "zombie", 9, "time", for_ms=9_000, park=True),
    "park": lambda run, epoch, key: Park(run, epoch, [key]),
    "watch": lambda run, epoch, key: Watch(run, epoch, key),
    "leave": lambda run, epoch, key: Leave(run, epoch, key),
    "pause": lambda run, epoch, key: Pause(run, epoch, key, "x", "y", "z"),
    "emit": lambda run, epoch, key: Emit(run, epoch, started_at=1, tags=["zombie"]),
    "release": lambda run, epoch, key: Release([(run, epoch)], draining=False),
    "evicted": lambda run, epoch, key: Release(draining=False, evicted=[(run, epoch)]),
    "duty done": lambda run, epoch, key: DutyDone(run, epoch),
}

#: What may be answered otherwise than with a refusal: where nothing is left to do, or the same was said in time.
_MAY_BE_DONE = ("release", "evicted", "duty done", "complete", "fail", "retry", "pause")


class Zombies(World):
    @rule(n=pick, verb=st.sampled_from(sorted(WORDS)), entry=pick)
    def a_zombie_speaks(self, n: int, verb: str, entry: int) -> None:
        if zombie := self.zombie(n):
            worker, grant = zombie
            journal = sorted(self.journal(grant.run_id))
            key = journal[entry % len(journal)] if journal else "step#0"
            before = self.dump()
            [answer] = worker.say(WORDS[verb](grant.run_id, grant.epoch, key))
            assert self.dump() == before, f"a zombie wrote by {verb}"
            if verb not in _MAY_BE_DONE:
                assert isinstance(answer, Failure), answer
                assert answer.code == "lease_lost", answer
            elif self.state(grant.run_id) == "EXECUTING" and verb in ("complete", "fail", "retry", "pause"):
                assert isinstance(answer, Failure), answer
