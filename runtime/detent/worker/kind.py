"""The kind of a worker: its size, the machines that it offers, the queues that it claims from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..config import WorkerSettings
from ..errors import InvalidOptions
from ..model.limits import NAME_CHARS
from ..model.machine import ANY_MACHINE, OFFERED, machine_name

__all__ = ["Kind"]


@dataclass(frozen=True, slots=True)
class Kind:
    """What a command says of its workers; None, or nothing, for what the settings say.

    `processes`, and in each of them `threads` plain runs and `async_limit` async ones at once; `concurrency` is both,
    where they are not said. `machines`: presets and labels, ``default`` for runs that name none, ``*`` for all; all but
    labels unless set. `queues`: all unless set.
    """

    processes: int | None = None
    threads: int | None = None
    async_limit: int | None = None
    concurrency: int | None = None
    machines: Sequence[str] = ()
    queues: Sequence[str] = ()

    def count(self, settings: WorkerSettings) -> int:
        """How many processes."""
        return self.processes or settings.processes

    def arguments(self, settings: WorkerSettings) -> list[str]:
        """As ``python -m detent.worker`` takes it. Errors: `InvalidOptions`."""
        machines = [machine_name(name, "--machine") for name in self.machines or settings.machines or OFFERED]
        queues = [_queue_name(name) for name in self.queues or settings.queues or ()]
        threads, async_limit = self.threads or self.concurrency, self.async_limit or self.concurrency
        return [
            *(["--threads", str(threads)] if threads else []),
            *(["--async-limit", str(async_limit)] if async_limit else []),
            *([] if ANY_MACHINE in machines else [f"--offer={name}" for name in dict.fromkeys(machines)]),
            *(f"--queue={name}" for name in dict.fromkeys(queues)),
        ]


def _queue_name(name: str) -> str:
    if not name.strip() or len(name) > NAME_CHARS:
        raise InvalidOptions(f"--queues: got {name!r}, expected names of queues, of 1 to {NAME_CHARS} characters")
    return name
