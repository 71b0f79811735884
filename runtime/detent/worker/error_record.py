"""Exceptions of users as data."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from ..errors import DetentError, StepFailed
from ..model.task_error import TaskError
from .plain_text import clean

__all__ = ["recorded"]

_OWN = str(Path(__file__).parent.parent)


def recorded(error: BaseException, code: str = "") -> TaskError:
    """`error` without the frames of detent around the user's; that of a failed step is the one that it raised."""
    if isinstance(error, StepFailed):
        return error.error
    trace: TracebackType | None = error.__traceback__
    skipped = 0
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN):
        trace = trace.tb_next
        skipped += 1
    if isinstance(error, DetentError):
        code = code or error.code
    try:
        record = TaskError.of(error, code, skip_frames=skipped if trace is not None else 0)
    except BaseException as unprintable:  # whatever a user's exception does when it is shown
        record = TaskError(type(error).__name__, f"<unprintable: {type(unprintable).__name__}>", code=code)
    return TaskError(clean(record.type), clean(record.message), clean(record.traceback), record.code)
