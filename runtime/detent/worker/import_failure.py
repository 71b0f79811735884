"""From an exception that ended the import of a task file to the line to mend."""

from __future__ import annotations

import linecache
import os
import traceback
from pathlib import Path

from detent.errors import DiscoveryError
from detent.worker.problem import Problem, shown

__all__ = ["import_problem", "without_place"]

_MESSAGE_CHARS = 2_000
_TRACE_LINES = 6


def import_problem(file: Path, root: Path, error: BaseException) -> Problem:
    """The problem that `error` is, at the innermost line of the project that it passed through.

    Parameters:
      file: the task file whose import ended with `error`.
      root: the project's folder. Code below it counts as the project's own, installed packages do not.
      error: anything that was raised.
    """
    place, line = _innermost(file, root, error)
    if isinstance(error, DiscoveryError):
        # It says by itself what to mend.
        what = without_place(error, str(place), line)
        return Problem(file=str(place), line=line, message=what, code="import_failed", trace=_trace(root, error))
    what = "".join(traceback.format_exception_only(error)[-1:]).strip()
    if isinstance(error, SyntaxError):
        what = f"{type(error).__name__}: {error.msg}"
    if len(what) > _MESSAGE_CHARS:
        what = f"{what[:_MESSAGE_CHARS]}..."
    return Problem(
        file=str(place),
        line=line,
        message=f"{shown(file, root)} cannot be imported: {what}; {_advice(error)}",
        code="import_failed",
        trace=_trace(root, error),
    )


def without_place(error: DiscoveryError, file: str, line: int) -> str:
    """The sentence of `error` for a problem at `line` of `file`, which is not said a second time."""
    return str(error).removeprefix(f"{file}:{line}: ")


def _innermost(file: Path, root: Path, error: BaseException) -> tuple[Path, int]:
    if isinstance(error, SyntaxError) and error.filename:
        source = Path(error.filename).resolve()
        if source == file or _is_own(source, root):
            return source, error.lineno or 1
    place, line = file, 1
    for frame, number in traceback.walk_tb(error.__traceback__):
        source = Path(frame.f_code.co_filename).resolve()
        if source == file or _is_own(source, root):
            place, line = source, number
    return place, line


def _trace(root: Path, error: BaseException) -> tuple[str, ...]:
    """The project's own lines that `error` passed through, the first and the last of many; nothing for one alone."""
    lines = []
    for frame, number in traceback.walk_tb(error.__traceback__):
        source = Path(frame.f_code.co_filename).resolve()
        if _is_own(source, root):
            code = linecache.getline(str(source), number).strip()
            lines.append(f"{shown(source, root)}:{number} in {frame.f_code.co_name}: {code}")
    if len(lines) > 2 * _TRACE_LINES:
        lines[_TRACE_LINES:-_TRACE_LINES] = ["..."]
    return tuple(lines) if len(lines) > 1 else ()


def _is_own(source: Path, root: Path) -> bool:
    # Code without a file, such as `<frozen os>`, looks as if it lay in the folder that the process works in.
    if not source.is_relative_to(root) or source.name.startswith("<"):
        return False
    return not any(part == "site-packages" or part.startswith(".") for part in source.relative_to(root).parts)


def _advice(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return 'put what ends the program under: if __name__ == "__main__":'
    if isinstance(error, KeyError) and _is_of_environment(error):
        return "set this variable where the file is imported, or read it inside of the task"
    if isinstance(error, ModuleNotFoundError):
        return "install the package or correct the import"
    return "mend this line; the other files still work"


def _is_of_environment(error: KeyError) -> bool:
    """Whether a variable of the environment was asked for."""
    last = [frame.f_code.co_filename for frame, _ in traceback.walk_tb(error.__traceback__)][-1:]
    return last in (["<frozen os>"], [os.__file__])
