"""The lines of a user's own code in a traceback."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

__all__ = ["Frame", "own_frames"]

_FRAME = re.compile(r'^ *(?:\|\s*)?File "(?P<file>.+)", line (?P<line>\d+)(?:, in (?P<function>.+))?$', re.MULTILINE)
_FOREIGN = ("site-packages", "dist-packages")


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
    frames: list[Frame] = []
    lines = traceback.splitlines()
    for number, line in enumerate(lines):
        found = _FRAME.match(line)
        if found is None or _is_foreign(found["file"]):
            continue
        following = lines[number + 1].strip() if number + 1 < len(lines) else ""
        code = "" if following.startswith(("File ", "Traceback")) else following
        frames.append(Frame(_shown(found["file"]), int(found["line"]), found["function"] or "", code))
    return frames


def _is_foreign(file: str) -> bool:
    import detent

    own = tuple(str(Path(place).resolve()) + os.sep for place in detent.__path__)
    library = str(Path(os.__file__).resolve().parent) + os.sep
    inside = file.startswith((*own, library, sys.base_prefix + os.sep + "lib"))
    return inside or file.startswith("<") or any(part in Path(file).parts for part in _FOREIGN)


def _shown(file: str) -> str:
    here = Path.cwd()
    path = Path(file)
    return str(path.relative_to(here)) if path.is_relative_to(here) else file
