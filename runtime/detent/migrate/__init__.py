"""Bringing a database to the present schema, and moving everything from one to another."""

from __future__ import annotations

from .move import Moved, move
from .objects import CopiedObjects, copy_objects
from .progress import Progress
from .schema import Schema, bring_up_to_date, look_at

__all__ = ["CopiedObjects", "Moved", "Progress", "Schema", "bring_up_to_date", "copy_objects", "look_at", "move"]
