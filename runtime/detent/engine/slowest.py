"""Where the time of a run went: its spans by the time that lies in none of their own children."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

__all__ = ["slowest_spans"]


def slowest_spans(trace: Mapping[str, Any], now: int, most: int) -> list[dict[str, Any]]:
    """The `most` spans of a trace (see `trace_of`) with the longest time of their own, in milliseconds.

    Parameters:
      now: the end of those that go on, in milliseconds since 1970.
    """
    found = [span for child in trace["children"] for span in _own_times(child, now)]
    return heapq.nlargest(most, (span for span in found if span["self_ms"] > 0), key=lambda span: span["self_ms"])


def _own_times(span: Mapping[str, Any], now: int) -> Iterator[dict[str, Any]]:
    pending: list[Mapping[str, Any]] = [span]
    while pending:
        one = pending.pop()
        start, end = _interval(one, now)
        covered = _covered([_interval(child, now) for child in one["children"]], start, end)
        yield {
            "id": one["id"],
            "name": one["name"],
            "kind": one["kind"],
            "self_ms": end - start - covered,
            "total_ms": end - start,
            "goes_on": one["end"] is None,
        }
        pending += one["children"]


def _interval(span: Mapping[str, Any], now: int) -> tuple[int, int]:
    start = _ms(span["start"])
    return start, max(start, now if span["end"] is None else _ms(span["end"]))


def _covered(intervals: Sequence[tuple[int, int]], start: int, end: int) -> int:
    """How much of the time from `start` to `end` lies in any of the intervals, which may overlap."""
    total, reached = 0, start
    for begin, over in sorted(intervals):
        low, high = max(begin, reached), min(over, end)
        if high > low:
            total += high - low
            reached = high
    return total


def _ms(moment: str) -> int:
    return round(datetime.fromisoformat(moment).timestamp() * 1000)
