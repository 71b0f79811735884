"""The lines of a user's own code in a traceback."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

__all__ = ["Frame", "own_frames"]


class Frame(NamedTuple):
    """A place in code; `file` as seen from the current folder, `code` the text of the line."""

    file: str
    line: int
    function: str
    code: str

    def __str__(self) -> str:
        inside = f" in {self.function}" if self.function else ""
        code = f"    {self.code}" if self.code else ""
        return f"{self.file}:{self.line}{inside}{code}"


def own_frames(traceback: str) -> list[Frame]:
    """The frames of `traceback`, outermost first, without those of installed packages, of Python's own
    library and of detent."""
    from detent.model.frames import frames_of

    return [
        Frame(_shown(frame.file), frame.line, frame.function, frame.code)
        for frame in frames_of(traceback)
        if frame.is_own
    ]


def _shown(file: str) -> str:
    here = Path.cwd()
    path = Path(file)
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
