"""What Prometheus counts, added up from events."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

__all__ = ["BUCKETS", "COUNTED", "Figures"]

#: Upper bounds of durations, in seconds.
BUCKETS = (0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1_800.0, 3_600.0)
#: Kinds of events that are counted as they are.
COUNTED = ("trigger", "claim", "retry", "park", "lose_lease")


class Figures(msgspec.Struct):
    """Counters of an environment. `finished`: by status and then by task; `durations`: runs by task, one count for each
    of `BUCKETS` and one for those that took longer; `seconds`: their sum."""

    totals: dict[str, int] = msgspec.field(default_factory=lambda: dict.fromkeys(COUNTED, 0))
    finished: dict[str, dict[str, int]] = {}
    durations: dict[str, list[int]] = {}
    seconds: dict[str, float] = {}

    @classmethod
    def of_text(cls, text: str) -> Figures:
        """Those that `as_text` wrote; of a version that counted otherwise, new ones."""
        try:
            figures = msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError:
            return cls()
        fits = all(len(counts) == len(BUCKETS) + 1 for counts in figures.durations.values())
        return figures if fits and set(figures.totals) == set(COUNTED) else cls()

    def as_text(self) -> str:
        """As JSON."""
        return msgspec.json.encode(self).decode()

    def add(self, events: Iterable[Any]) -> None:
        """Count events: rows with kind, state, task and used_ms."""
        for event in events:
            kind = event["kind"]
            if kind in self.totals:
                self.totals[kind] += 1
            elif kind == "finish":
                tasks = self.finished.setdefault(event["state"], {})
                tasks[event["task"]] = tasks.get(event["task"], 0) + 1
                self._observe(event["task"], event["used_ms"] / 1000)

    def _observe(self, task: str, seconds: float) -> None:
        counts = self.durations.setdefault(task, [0] * (len(BUCKETS) + 1))
        place = next((place for place, most in enumerate(BUCKETS) if seconds <= most), len(BUCKETS))
        counts[place] += 1
        self.seconds[task] = self.seconds.get(task, 0.0) + seconds
