"""The engine's loops: what happens without anybody asking. Each sleeps until its next moment."""

from __future__ import annotations

from .bulk import BulkActions
from .deployments import Deployments
from .digest import Digest
from .leases import Leases
from .leftovers import Leftovers
from .loop import Loop, Write
from .retention import OnRemove, Retention
from .schedules import Schedules
from .sweeper import Sweeper
from .timers import Timers

__all__ = [
    "BulkActions",
    "Deployments",
    "Digest",
    "Leases",
    "Leftovers",
    "Loop",
    "OnRemove",
    "Retention",
    "Schedules",
    "Sweeper",
    "Timers",
    "Write",
]
