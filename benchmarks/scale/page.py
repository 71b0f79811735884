"""The record of a measurement as Markdown."""

from __future__ import annotations

import statistics
from typing import Any

__all__ = ["markdown"]

_COLUMNS = {
    "runs_1": "runs/s, 1 caller",
    "runs_8": "8 callers",
    "runs_64": "64 callers",
    "batch": "in batches of 500",
}
_LATENCIES = {"trigger_ms": "trigger p50 / p99 ms", "start_ms": "idle start p50 / p99 ms"}


def markdown(record: dict[str, Any]) -> str:
    """The whole page."""
    head = ["system", *_COLUMNS.values(), *_LATENCIES.values(), "1,000 children s"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    errors = []
    for title, passes in record["figures"].items():
        good = [one for one in passes if "error" not in one]
        errors += [
            f"* {title} failed once: `{one['error'].strip().splitlines()[-1]}`" for one in passes if "error" in one
        ]
        if good:
            lines.append("| " + " | ".join([title, *_row(good)]) + " |")
    versions = {
        k: v for passes in record["figures"].values() for one in passes for k, v in one.get("versions", {}).items()
    }
    about = [f"{name} {version}" for name, version in sorted(versions.items())]
    return "\n".join(
        [
            "# Durable runs on PostgreSQL and Redis, beside peers",
            "",
            "Written by `python -m benchmarks.scale`. Medians over the passes, which take the systems in turn. Every",
            "system gets a PostgreSQL of its own with fsync and full commits, a Redis without persistence, and, where",
            "nothing else is said, two worker processes. A run is a task that returns its number. Runs a second count",
            "from the first call to the end of the last run. The machine is small and shared: read ratios.",
            "",
            *lines,
            "",
            *errors,
            f"Measured {record['at']}. {'; '.join(about)}.",
            "",
            *[f"* {line}" for line in _machine(record["machine"])],
            "",
        ]
    )


def _row(passes: list[dict[str, Any]]) -> list[str]:
    cells = [f"{statistics.median(one[name] for one in passes):,.0f}" for name in _COLUMNS]
    for name in _LATENCIES:
        middle = statistics.median(one[name][0] for one in passes)
        cells.append(f"{middle:.1f} / {statistics.median(one[name][1] for one in passes):.1f}")
    fans = [one["fan_out_s"] for one in passes if one.get("fan_out_s") is not None]
    return [*cells, f"{statistics.median(fans):.2f}" if fans else "-"]


def _machine(about: Any) -> list[str]:
    return [f"{key}: {value}" for key, value in about.items()] if isinstance(about, dict) else [str(about)]
