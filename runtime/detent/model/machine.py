"""Machines by name: how much CPU and memory an isolated run may use."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..errors import InvalidOptions
from .limits import NAME_CHARS

__all__ = [
    "ANY_MACHINE",
    "DEFAULT_MACHINE",
    "ISOLATIONS",
    "MACHINES",
    "OFFERED",
    "Machine",
    "check_isolation",
    "check_larger",
    "machine_name",
]

#: How the runs of a task may be kept apart: with others in a worker's process, or each in one of its own.
ISOLATIONS = ("none", "process")
_MIB_PER_GB = 1024


class Machine(NamedTuple):
    """A preset: its name, CPUs, and memory in GB."""

    name: str
    cpu: float
    memory: float

    @property
    def memory_mb(self) -> int:
        """The memory in MB, of 1,048,576 bytes each."""
        return round(self.memory * _MIB_PER_GB)


#: The presets, from the smallest on. Any other name is a label that workers offer, without limits of its own.
MACHINES = {
    machine.name: machine
    for machine in (
        Machine("micro", 0.25, 0.25),
        Machine("small-1x", 0.5, 0.5),
        Machine("small-2x", 1, 1),
        Machine("medium-1x", 1, 2),
        Machine("medium-2x", 2, 4),
        Machine("large-1x", 4, 8),
        Machine("large-2x", 8, 16),
    )
}

#: What a worker offers for runs that name no machine, and for whatever they name.
DEFAULT_MACHINE, ANY_MACHINE = "default", "*"
#: What a worker offers that says nothing: all but labels.
OFFERED = (DEFAULT_MACHINE, *MACHINES)


def machine_name(value: Any, option: str = "machine") -> str:
    """The name of a preset or a label, checked. Errors: `InvalidOptions` that begins with `option`."""
    if not isinstance(value, str) or not value.strip() or len(value) > NAME_CHARS:
        raise InvalidOptions(
            f"{option}: got {value!r}, expected one of {', '.join(MACHINES)}, "
            f"or the label of a worker, a text of 1 to {NAME_CHARS} characters"
        )
    return value


def check_isolation(value: Any, task: str) -> str:
    """How the runs of `task` are kept apart, checked. Errors: `InvalidOptions`."""
    if value not in ISOLATIONS:
        allowed = " or ".join(map(repr, ISOLATIONS))
        raise InvalidOptions(f"isolation of task {task!r} must be {allowed}, got {value!r}")
    return str(value)


def check_larger(machine: str | None, larger: str | None, task: str) -> None:
    """Refuse a machine for runs that ran out of memory which gives them no more of it. Errors: `InvalidOptions`."""
    before, after = MACHINES.get(machine or ""), MACHINES.get(larger or "")
    if before is not None and after is not None and after.memory <= before.memory:
        raise InvalidOptions(
            f"retry.out_of_memory of task {task!r} is {larger!r} ({after.memory:g} GB), "
            f"which is not larger than its machine {machine!r} ({before.memory:g} GB)"
        )
