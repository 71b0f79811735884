"""An error of a task as data: never a pickled exception, never a class rebuilt from a stored name."""

from __future__ import annotations

import traceback
from typing import Any

from msgspec import Struct

__all__ = ["TaskError"]

_MESSAGE_CHARS = 8_192
_TRACEBACK_CHARS = 32_768


class TaskError(Struct, frozen=True, omit_defaults=True):
    """What went wrong in a run.

    `type` is the exception's class name, `message` its text, `traceback` Python's own rendering (the
    innermost frames are kept when it is long), `code` a stable name for causes that detent itself knows
    (``timed_out``, ``crashed``, ``expired``, ``aborted`` ...).
    """

    type: str
    message: str
    traceback: str = ""
    code: str = ""

    @classmethod
    def of(cls, error: BaseException, code: str = "", *, skip_frames: int = 0) -> TaskError:
        """The record of `error`, without the first `skip_frames` frames, which are detent's own."""
        trace = error.__traceback__
        for _ in range(skip_frames):
            if trace is None or trace.tb_next is None:
                break
            trace = trace.tb_next
        text = "".join(traceback.format_exception(type(error), error, trace))
        if len(text) > _TRACEBACK_CHARS:
            text = "… (cut)\n" + text[-_TRACEBACK_CHARS:]
        return cls(type(error).__name__, _message_of(error)[:_MESSAGE_CHARS], text, code)

    def to_dict(self) -> dict[str, Any]:
        return {k: v for k in self.__struct_fields__ if (v := getattr(self, k))}


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as broken:  # a user's __str__ may raise
        return f"<unprintable {type(error).__name__}: {type(broken).__name__}>"
