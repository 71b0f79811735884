"""What discovery found wrong with a project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Problem", "shown"]


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to mend. `message` says what is wrong and what to do; `code` is stable. `trace`: the lines of the
    project that led there, outermost first, where there are several."""

    file: str
    line: int
    message: str
    code: str
    trace: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.message}"


def shown(path: Path, root: Path) -> str:
    """`path` as people of the project call it: from its root, when it is below."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)
