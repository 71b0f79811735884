"""How far a move has come."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

__all__ = ["OnProgress", "Progress"]


class Progress(NamedTuple):
    """`doing`: ``copying`` or ``comparing``; `done` of `rows` rows of `table`, `all_done` of `all_rows` of all."""

    doing: Literal["copying", "comparing"]
    table: str
    done: int
    rows: int
    all_done: int
    all_rows: int


OnProgress = Callable[[Progress], None]
