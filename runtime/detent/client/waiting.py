"""Waiting for a run to end by asking: often at first, then at ease."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from ..model.duration import SECOND, Duration, parse_duration

__all__ = ["LISTEN_S", "pauses"]

FIRST_S, LONGEST_S = 0.02, 0.5
#: The end of a run that takes its time is listened for rather than asked for, so long at a time, in seconds.
LISTEN_S = 10.0


def pauses(awaited_id: str, timeout: Duration | None, what: str = "run", longest: float = LONGEST_S) -> Iterator[float]:
    """Seconds to wait before each further question, at most `longest`. Raises `TimeoutError` when `timeout` has
    passed."""
    ends = None if timeout is None else monotonic() + parse_duration(timeout, "timeout") / SECOND
    pause = FIRST_S
    while True:
        if ends is not None:
            left = ends - monotonic()
            if left <= 0:
                raise TimeoutError(f"{what} {awaited_id} had not ended after {timeout}; it goes on, ask again later")
            # To listen may take twice as long as is asked for, where something else is told in between.
            pause = min(pause, left, max(left / 2, LONGEST_S))
        yield pause
        pause = min(pause * 1.5, longest) if pause < LONGEST_S else longest
