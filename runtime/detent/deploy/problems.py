"""What keeps a project from being deployed, all of it at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import DeployError

__all__ = ["Problem", "refuse"]

#: Problems that a message shows; what is left is counted.
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `file`: from the project's folder, "" where it is no file's fault; `line`: from 1, None for
    the whole file; `message`: what is wrong and what to do; `code` is stable."""

    file: str
    line: int | None
    message: str
    code: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.message}" if place else self.message


def refuse(what: str, problems: Iterable[Problem], advice: str = "") -> None:
    """Raise `DeployError` with every one of the `problems`, sorted by file and line; return where there are none.

    Parameters:
      what: the head of the message, such as "the bundle cannot be made". `advice`: its last line, for all of them.
    """
    found = sorted(set(problems), key=lambda problem: (problem.file, problem.line or 0, problem.message))
    if found:
        raise DeployError(_text(what, found, advice), problems=found)


def _text(what: str, problems: Sequence[Problem], advice: str) -> str:
    if len(problems) == 1:
        return f"{what}: {problems[0]}" + (f". {advice}" if advice else "")
    lines = [f"{what}, {len(problems)} problems:"]
    lines += [f"  {problem}" for problem in problems[:_SHOWN]]
    if len(problems) > _SHOWN:
        lines.append(f"  and {len(problems) - _SHOWN} more")
    return "\n".join([*lines, advice] if advice else lines)
