"""Signals that unwind a run. They derive from ``BaseException``: a task's ``except Exception`` lets them pass."""

from __future__ import annotations

__all__ = ["Evicted", "LeaseLost", "RunSignal", "Stopped"]


class RunSignal(BaseException):
    """The engine unwinds this run. If your code caught it: let it pass, a bare ``except:`` must raise again."""


class LeaseLost(RunSignal):
    """The run belongs to another worker now; nothing that this one does counts."""


class Evicted(RunSignal):
    """The parked frame is dropped: the run goes on elsewhere."""


class Stopped(RunSignal):
    """The run was cancelled or has used its time."""
