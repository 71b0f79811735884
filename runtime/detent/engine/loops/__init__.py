"""The engine's loops: what happens without anybody asking. Each sleeps until its next moment."""

from __future__ import annotations

from .digest import Digest
from .leases import Leases
from .loop import Loop, Write
from .retention import OnRemove, Retention
from .sweeper import Sweeper
from .timers import Timers

__all__ = ["Digest", "Leases", "Loop", "OnRemove", "Retention", "Sweeper", "Timers", "Write"]
