"""What the engines of one database tell each other. Nothing in it is trusted: whoever gets it looks into the store."""

from __future__ import annotations

from msgspec import Struct, field

__all__ = ["Crew", "News"]


class Crew(Struct, omit_defaults=True):
    """Workers that are connected to one engine and run the same tasks of one environment; they take tickets of the
    class `ticket_class`."""

    ticket_class: str
    env: str
    workers: int
    sync_tasks: list[str] = field(default_factory=list)
    async_tasks: list[str] = field(default_factory=list)


class News(Struct, omit_defaults=True):
    """What commits of one engine brought about for workers and callers of the others.

    `queued`: runs by environment and task. `anyone`: environments in which limits may have room. `sticky`: environment,
    task, and the worker that holds the parked frame. `ended`: runs. `canceled`, `satisfied` (worker, run, epoch, and
    the wait's key) and `evicted`: what workers are to be told. `due`: a timer. `loops`: have something to do.
    `everything`: so much that it is not listed. `crews`: who is connected, None where that is not told. `asks`: wants
    to know the crews of the others. `leaves`: is not there any more.
    """

    engine: str
    queued: dict[str, dict[str, int]] = field(default_factory=dict)
    anyone: list[str] = field(default_factory=list)
    sticky: list[tuple[str, str, str]] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    canceled: list[tuple[str, str]] = field(default_factory=list)
    satisfied: list[tuple[str, str, int, str]] = field(default_factory=list)
    evicted: list[tuple[str, str]] = field(default_factory=list)
    due: int | None = None
    loops: list[str] = field(default_factory=list)
    everything: bool = False
    crews: list[Crew] | None = None
    asks: bool = False
    leaves: bool = False

    def size(self) -> int:
        """How many things it lists."""
        told = len(self.sticky) + len(self.ended) + len(self.canceled) + len(self.satisfied) + len(self.evicted)
        return told + sum(len(tasks) for tasks in self.queued.values())
