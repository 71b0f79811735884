"""``MemoryError`` in an isolated run: the limit of its machine was felt from inside before it was seen from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..model.task_error import TaskError

if TYPE_CHECKING:
    from .frame import Frame

__all__ = ["is_out_of_memory", "out_of_memory_record"]


def is_out_of_memory(frame: Frame, error: BaseException) -> bool:
    """Whether the attempt ended because its process, which it has to itself, got no more memory."""
    if isinstance(error, BaseExceptionGroup):
        return any(is_out_of_memory(frame, inner) for inner in error.exceptions)
    in_cell = frame.worker.options.parent is not None and frame.task.isolation == "process"
    return in_cell and isinstance(error, MemoryError)


def out_of_memory_record(frame: Frame, record: TaskError) -> TaskError:
    """The error of a run that was refused memory."""
    machine = frame.worker.machine_of(frame.task, frame.grant)
    where = "" if machine is None else f" on machine {machine!r}"
    said = f" ({record.message})" if record.message else ""
    return replace(record, type="OutOfMemory", message=f"out of memory: MemoryError{said}{where}", code="out_of_memory")
