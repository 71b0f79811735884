"""Waiting for a run to end by asking: often at first, then at ease."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic

from ..model.duration import SECOND, Duration, parse_duration

__all__ = ["pauses"]

FIRST_S, LONGEST_S = 0.02, 0.5


def pauses(awaited_id: str, timeout: Duration | None, what: str = "run") -> Iterator[float]:
    """Seconds to wait before each further question. Raises `TimeoutError` when `timeout` has passed."""
    ends = None if timeout is None else monotonic() + parse_duration(timeout, "timeout") / SECOND
    pause = FIRST_S
    while True:
        if ends is not None:
            left = ends - monotonic()
            if left <= 0:
                raise TimeoutError(f"{what} {awaited_id} had not ended after {timeout}; it goes on, ask again later")
            pause = min(pause, left)
        yield pause
        pause = min(pause * 1.5, LONGEST_S)
