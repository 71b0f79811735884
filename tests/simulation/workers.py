"""A simulated worker process: frames, a claim, a connection on which words are under way, and what it hears."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Any

from tests.simulation.frame import Frame, Outside
from tests.simulation.programs import Program

from detent.engine import Session
from detent.model.manifest import Manifest
from detent.model.protocol import (
    CancelPush,
    Claim,
    Claimed,
    DutyDone,
    Entry,
    EvictPush,
    Failure,
    Finish,
    Grant,
    Pause,
    Push,
    Recall,
    Recalled,
    Release,
    SatisfiedPush,
)

__all__ = ["Said", "SimulatedWorker"]

#: Runs that a worker executes at once.
SLOTS = 3


@dataclass
class Said:
    """A request that is under way, and who hears the answer."""

    request: Any
    frame: Frame | None
    answered: Callable[[Any], None]


class SimulatedWorker:
    """One process. `under_way`: what it has said and not heard an answer to, in order."""

    def __init__(
        self, id: str, manifest: Manifest, programs: dict[str, Program], chance: Random, outside: Outside
    ) -> None:
        self.id = id
        self.manifest = manifest
        self.session: Session
        self.frames: dict[str, Frame] = {}
        self.duties: list[Grant] = []
        self.under_way: list[Said] = []
        self.pushes: list[Push] = []
        self.draining = False
        #: Cut off from the engine for so many more turns.
        self.away = 0
        #: It heard that it was given up, and ends.
        self.given_up = False
        self._claiming = False
        self._early: list[SatisfiedPush | CancelPush] = []
        self._programs = programs
        self._chance = chance
        self._outside = outside

    # What it can do now.

    def room(self) -> int:
        executing = sum(not frame.parked for frame in self.frames.values())
        return SLOTS - executing - len(self.duties)

    def can_claim(self) -> bool:
        return not self._claiming and not self.draining and self.room() > 0

    def claim(self) -> None:
        self._claiming = True
        self.under_way.append(Said(Claim(async_=self.room()), None, self._claimed))

    def parked(self) -> list[Frame]:
        return [frame for frame in self.frames.values() if frame.parked and not frame.over]

    def evict(self, frame: Frame) -> None:
        """Drop a parked frame and say so."""
        self.drop(frame)
        self._tell(Release(draining=False, evicted=[(frame.run_id, frame.epoch)]))

    def drain(self) -> None:
        """Claim no more; what is parked is dropped, what executes is handed back."""
        self.draining = True
        held = [(frame.run_id, frame.epoch) for frame in self.frames.values() if not frame.parked]
        held += [(duty.run_id, duty.epoch) for duty in self.duties]
        for frame in list(self.frames.values()):
            self.drop(frame)
        self.duties.clear()
        self._tell(Release(held))

    def drop(self, frame: Frame) -> None:
        frame.over = True
        if self.frames.get(frame.run_id) is frame:
            del self.frames[frame.run_id]
        self.under_way = [said for said in self.under_way if said.frame is not frame]

    def holds(self) -> list[tuple[str, int]]:
        """The runs and duties that it has been granted and has not ended."""
        return [(frame.run_id, frame.epoch) for frame in self.frames.values()] + [
            (duty.run_id, duty.epoch) for duty in self.duties
        ]

    def reconnected(self) -> None:
        """The connection is a new one: what was said is said again, but for claims; pushes may have been lost."""
        self.under_way = [said for said in self.under_way if not isinstance(said.request, Claim)]
        self._claiming = False
        self.pushes.clear()
        for frame in self.frames.values():
            frame.watch()

    # What it hears.

    def hear(self, said: Said, answer: Any) -> None:
        """The answer to what it said."""
        if isinstance(answer, Failure):
            assert answer.code == "lease_lost", f"{said.request} was answered by {answer}"
            if isinstance(said.request, Claim):
                self.given_up = True
            elif said.frame is not None and said.request.epoch == said.frame.epoch:
                self.drop(said.frame)
            elif said.frame is not None and not said.frame.over:
                # Claimed again by this worker before the words arrived by which its parked frame gave up a wait.
                said.request.epoch = said.frame.epoch
                self.under_way.append(said)
            return
        if said.frame is not None and said.frame.over and not isinstance(said.request, (Finish, Pause)):
            return
        said.answered(answer)

    def hear_push(self, push: Push) -> None:
        if isinstance(push, EvictPush):
            frame = self.frames.get(push.run_id)
            if frame is not None and frame.parked:
                self.drop(frame)
        elif isinstance(push, (SatisfiedPush, CancelPush)):
            frame = self.frames.get(push.run_id)
            if frame is None or frame.epoch < push.epoch:
                self._early.append(push)  # its grant is still under way
            elif frame.epoch == push.epoch and isinstance(push, SatisfiedPush):
                frame.deliver(push.result)
            elif frame.epoch == push.epoch:
                frame.cancel()

    # Within.

    def _claimed(self, answer: Claimed) -> None:
        self._claiming = False
        for grant in answer.grants:
            if grant.duty:
                self.duties.append(grant)
                self._tell(DutyDone(grant.run_id, grant.epoch), partial(self._duty_done, grant))
                continue
            self._take(grant)
            early, self._early = self._early, []
            for push in early:
                self.hear_push(push)

    def _duty_done(self, duty: Grant, _answer: Any) -> None:
        if duty in self.duties:
            self.duties.remove(duty)

    def _take(self, grant: Grant) -> None:
        known = self.frames.get(grant.run_id)
        if known is not None and grant.resumed and known.parked:
            known.go_on(grant)
            return
        if known is not None:
            self.drop(known)
        frame = Frame(grant, self._programs[grant.task], self._chance, self._outside, self._say)
        self.frames[grant.run_id] = frame
        if not grant.recall:
            frame.begin([])
        elif self._chance.random() < 0.04:
            # As code that was changed: it waits for somebody's decision.
            frame.over = True
            pause = Pause(frame.run_id, frame.epoch, "/step#0", "step 's'", "time", "it went another way")
            self._say(frame, pause, lambda _answer: None)
        else:
            self._recall(frame, [])

    def _recall(self, frame: Frame, read: list[Entry]) -> None:
        def recalled(answer: Recalled) -> None:
            read.extend(answer.entries)
            if answer.more:
                self._recall(frame, read)
            else:
                frame.begin(read)

        after = read[-1].seq if read else -1
        self._say(frame, Recall(frame.run_id, frame.epoch, after), recalled)

    def _say(self, frame: Frame, request: Any, answered: Callable[[Any], None]) -> None:
        def heard(answer: Any) -> None:
            if frame.over and self.frames.get(frame.run_id) is frame:
                del self.frames[frame.run_id]
            answered(answer)

        self.under_way.append(Said(request, frame, heard))

    def _tell(self, request: Any, answered: Callable[[Any], None] = lambda _answer: None) -> None:
        self.under_way.append(Said(request, None, answered))
