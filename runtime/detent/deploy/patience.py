"""Ask a server that may be away for a moment, as when it is started anew."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from ..client.calls import Call
from ..errors import ServerUnreachable
from ..model.transport import Transport

__all__ = ["AWAY_S", "ask"]

T = TypeVar("T")

#: How long a server may be away, in seconds.
AWAY_S = 60.0
_FIRST_S, _LONGEST_S = 0.1, 2.0


def ask(transport: Transport, call: Call[T], away_s: float = AWAY_S, check: Callable[[], None] | None = None) -> T:
    """The answer to `call`, which may be asked again: what it does is done once.

    Parameters:
      away_s: how long no server may answer. `check`: is called before each further try; what it raises ends them.

    Errors: those of the call; `ServerUnreachable` in the end.
    """
    return patiently(lambda: call.ask(transport), away_s, check)


def patiently(act: Callable[[], T], away_s: float = AWAY_S, check: Callable[[], None] | None = None) -> T:
    """What `act` gives, which is done again while no server answers; see `ask`."""
    ends = time.monotonic() + away_s
    pause = _FIRST_S
    while True:
        try:
            return act()
        except ServerUnreachable:
            if time.monotonic() + pause > ends:
                raise
        time.sleep(pause)
        pause = min(pause * 2, _LONGEST_S)
        if check is not None:
            check()
