"""A configuration file that cannot be edited safely."""

from __future__ import annotations

__all__ = ["Unreadable"]


class Unreadable(ValueError):
    """What is wrong with a document, and where: `line` and `column` count from 1; None where no place is to blame."""

    def __init__(self, reason: str, text: str | None = None, at: int | None = None) -> None:
        self.reason = reason
        self.line: int | None = None
        self.column: int | None = None
        if text is not None and at is not None:
            self.line = text.count("\n", 0, at) + 1
            self.column = at - text.rfind("\n", 0, at)
        where = "" if self.line is None else f"line {self.line}, column {self.column}: "
        super().__init__(f"{where}{reason}")
