"""Time and chance come in through these, so that the engine can be run on a virtual clock."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Protocol

__all__ = ["Clock", "Random", "SystemClock", "system_random"]


class Clock(Protocol):
    """The store's clock."""

    def now(self) -> int:
        """Milliseconds since 1970."""
        ...


class SystemClock:
    """The clock of this machine."""

    def now(self) -> int:
        return time.time_ns() // 1_000_000


#: Gives a number from 0 up to 1.
Random = Callable[[], float]

system_random: Random = random.random
