"""The lines of a project's source around a frame of a traceback, where they can still be shown for what ran."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Excerpt", "SourceFiles"]

#: Largest file that is read, in bytes; a longer line is cut, in characters.
FILE_BYTES, LINE_CHARS = 1024 * 1024, 300
#: Lines shown before the one that was reached, and after it.
BEFORE, AFTER = 4, 2

_NEVER = frozenset({"site-packages", "dist-packages", "node_modules", "__pycache__"})


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Lines of a file, the first of which is number `first`.

    `state`: ``same`` (as it was), ``may_have_changed`` (the file was written since the run began), ``changed`` (another
    text stands at the line), ``missing``, ``not_read`` (not a file of the project, or too large). There are lines
    with the first two only.
    """

    state: str
    first: int = 0
    lines: tuple[str, ...] = ()


class SourceFiles:
    """The Python files of one project, read for those who look into a failure. No other file is ever opened.

    Parameters:
      root: the project's folder. `dirs`: its folders and files with tasks, which may lie elsewhere.
    """

    def __init__(self, root: Path, dirs: Sequence[Path] = ()) -> None:
        self._root = root.resolve()
        self._places = (self._root, *(place.resolve() for place in dirs))

    def shown(self, file: str) -> str:
        """`file` as people of the project call it."""
        path = Path(file)
        return path.relative_to(self._root).as_posix() if path.is_relative_to(self._root) else file

    def excerpt(self, file: str, line: int, code: str, ran_at: int | None) -> Excerpt:
        """The lines around `line` of `file`.

        Parameters:
          code: the text of that line when the run was there. `ran_at`: when it was, in milliseconds since 1970.
        """
        path = self._own(file)
        if path is None:
            return Excerpt("not_read")
        try:
            text, written_at = _read(path)
        except FileNotFoundError:
            return Excerpt("missing")
        except (OSError, ValueError):
            return Excerpt("not_read")
        lines = text.splitlines()
        if not 1 <= line <= len(lines) or (code and lines[line - 1].strip() != code):
            return Excerpt("changed")
        # Without the text that the run saw, a file that says nothing of its age proves nothing.
        fresh = ran_at is None or written_at > ran_at or not code
        first = max(1, line - BEFORE)
        shown = tuple(_cut(each) for each in lines[first - 1 : line + AFTER])
        return Excerpt("may_have_changed" if fresh else "same", first, shown)

    def _own(self, file: str) -> Path | None:
        """The real path of `file`, if it is Python source of the project."""
        if "\0" in file or not Path(file).is_absolute():
            return None
        try:
            path = Path(file).resolve()
        except (OSError, RuntimeError):
            return None
        place = next((place for place in self._places if path == place or path.is_relative_to(place)), None)
        if place is None or path.suffix != ".py":
            return None
        inner = path.relative_to(place).parts
        if any(part.startswith(".") or part in _NEVER for part in inner):
            return None
        if any((folder / "pyvenv.cfg").exists() for folder in path.parents if folder.is_relative_to(place)):
            return None
        return path


def _read(path: Path) -> tuple[str, int]:
    """Text of a regular file and when it was written. Errors: `OSError`; `ValueError` for what is not to be read."""
    # The path is real: one that has become a link since is not followed, and a pipe is not waited for.
    handle = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(handle, "rb") as opened:
        about = os.fstat(opened.fileno())
        if not stat.S_ISREG(about.st_mode) or about.st_size > FILE_BYTES:
            raise ValueError(f"{path} is no regular file of at most {FILE_BYTES} bytes")
        return opened.read(FILE_BYTES).decode("utf-8", "replace"), about.st_mtime_ns // 1_000_000


def _cut(line: str) -> str:
    return line if len(line) <= LINE_CHARS else line[: LINE_CHARS - 1] + "…"
