"""Whatever happens in whatever order, the invariants of DESIGN.md section 5 hold after every step.

The machine drives the real engine over a real file with a clock of its own, which also goes back. Its rules are in
`machine`, by topic. Workers remember every grant that they ever had, also those that were taken from them, so zombies
speak up all the time.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings
from tests.engine.machine.clients import Clients
from tests.engine.machine.memory import Memory
from tests.engine.machine.passing import Passing
from tests.engine.machine.waiting import Waiting
from tests.engine.machine.working import Working
from tests.engine.machine.zombies import Zombies


class EngineMachine(Memory, Clients, Working, Waiting, Zombies, Passing):
    def begin_with(self) -> None:
        for task in "abcab":
            self.trigger(task, "", None, None)
        self.make_a_token(None, None)
        self.claim(0, 2)


class LongEngineMachine(EngineMachine):
    """The same for many more and longer lives."""


_patient = settings(
    max_examples=40,
    stateful_step_count=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
EngineMachine.TestCase.settings = _patient
LongEngineMachine.TestCase.settings = settings(_patient, max_examples=2_000, stateful_step_count=150)
TestEngine = EngineMachine.TestCase
TestEngineForLong = pytest.mark.soak(LongEngineMachine.TestCase)
