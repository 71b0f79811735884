"""In place of what makes virtual environments: this Python has what the projects of tests need."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from detent.errors import DeployError


class ThisPython:
    """`failure`: what the resolver says; with one there is no environment."""

    def __init__(self, failure: str = "") -> None:
        self.failure = failure

    def ensure(self, project: Path, *, on_line: Callable[[str], None], external: Sequence[str] = ()) -> Path:
        on_line("environment made")
        if self.failure:
            raise DeployError(self.failure)
        return Path(sys.executable)
