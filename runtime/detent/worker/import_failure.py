"""From an exception that ended the import of a task file to the line to mend."""

from __future__ import annotations

import traceback
from pathlib import Path

from detent.errors import DiscoveryError
from detent.worker.problem import Problem, shown

__all__ = ["import_problem", "without_place"]

_MESSAGE_CHARS = 2_000


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
        return Problem(file=str(place), line=line, message=what, code="import_failed")
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


def _is_own(source: Path, root: Path) -> bool:
    if not source.is_relative_to(root):
        return False
    return not any(part == "site-packages" or part.startswith(".") for part in source.relative_to(root).parts)


def _advice(error: BaseException) -> str:
    if isinstance(error, SystemExit):
        return 'put what ends the program under: if __name__ == "__main__":'
    if isinstance(error, ModuleNotFoundError):
        return "install the package or correct the import"
    return "mend this line; the other files still work"
