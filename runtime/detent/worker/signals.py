"""Signals that unwind a run. They derive from ``BaseException``: a task's ``except Exception`` lets them pass."""

from __future__ import annotations

__all__ = ["Evicted", "JournalMismatch", "LeaseLost", "RunSignal", "Stopped"]


class RunSignal(BaseException):
    """The engine unwinds this run. If your code caught it: let it pass, a bare ``except:`` must raise again."""


class LeaseLost(RunSignal):
    """The run belongs to another worker now; nothing that this one does counts."""


class Evicted(RunSignal):
    """The parked frame is dropped: the run goes on elsewhere."""


class Stopped(RunSignal):
    """The run was cancelled or has used its time."""


class JournalMismatch(RunSignal):
    """The code of a run decided otherwise than the first time.

    `key`: of the entry. `expected`: what is recorded there; `received`: what came.
    """

    def __init__(self, key: str = "", expected: str = "", received: str = "", message: str = "") -> None:
        self.key = key
        self.expected = expected
        self.received = received
        text = message or (
            f"the code went another way than before at {key!r}: expected {expected}, received {received}. Code outside "
            "steps must decide the same way when it runs again: put what changes (time, chance, reads) into a step"
        )
        super().__init__(text)
