"""The page of a record: a table for each promise, and how it stands."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from typing import Any

from benchmarks.report import figure

__all__ = ["Record", "markdown"]


class Record:
    """All measures of a run, with questions about them."""

    def __init__(self, data: dict[str, Any]) -> None:
        self.data = data

    def rows(self, session: str) -> list[str]:
        """The figures that a session gave, in their order."""
        return list(dict.fromkeys(one["what"] for one in self.data["measures"] if one["session"] == session))

    def values(self, session: str, what: str) -> list[float]:
        """One of each pass."""
        return [float(one["value"]) for one in self.of(session, what)]

    def median(self, session: str, what: str) -> float | None:
        values = self.values(session, what)
        return statistics.median(values) if values else None

    def quantile(self, session: str, what: str, share: float) -> float | None:
        """Nearest rank among the samples of all passes."""
        samples = sorted(sample for one in self.of(session, what) for sample in one["samples"])
        return float(samples[min(len(samples) - 1, round(share * len(samples) + 0.5) - 1)]) if samples else None

    def of(self, session: str, what: str) -> list[dict[str, Any]]:
        return [one for one in self.data["measures"] if (one["session"], one["what"]) == (session, what)]


def markdown(record: Record) -> str:
    """The whole page."""
    parts = [_head(record), _targets(record), _steps(record), _latencies(record), _memory(record), _chains(record)]
    return "\n\n".join(part for part in [*parts, _machine(record)] if part) + "\n"


def _head(record: Record) -> str:
    data = record.data
    text = (
        "# Figures of durable execution\n\n"
        f"Made by `{data['command']}` on {data['began'][:10]}, in {data['seconds']:.0f} s: {data['passes']} "
        "interleaved passes (memory and chains: one). Figures are medians over the passes; p50 is the median of the "
        "passes' medians, p99 the nearest rank among the samples of all passes. Server and workers are those of "
        "`detent dev`; the caller speaks HTTP. What each figure is: [README.md](README.md). "
        "The two cores of the machine had other work at the same time: "
        f"the load average before the sessions was {_load(record)}. Read ratios, not figures."
    )
    if data["failed"]:
        text += "\n\nFailed: " + "; ".join(f"{name} ({why})" for name, why in data["failed"].items()) + "."
    return text


def _load(record: Record) -> str:
    loads = [one["load_average"] for one in record.data["sessions"]]
    return f"{min(loads):.1f} to {max(loads):.1f}" if loads else "not taken"


Ask = Callable[[Record], float | None]


def _median(session: str, what: str) -> Ask:
    return lambda record: record.median(session, what)


def _p99(session: str, what: str) -> Ask:
    return lambda record: record.quantile(session, what, 0.99)


def _worst_growth(record: Record) -> float | None:
    growths = [growth for what in _links(record) if (growth := _growth(record, what)) is not None]
    return max(growths, default=None)


def _engine_memory(record: Record) -> float | None:
    parked = record.median("memory", "a parked async run in the worker")
    bare = record.median("memory", "a bare asyncio task that waits")
    return None if parked is None or bare is None else parked - bare


def _waiting(process: str) -> Ask:
    def ask(record: Record) -> float | None:
        return next(
            (record.median("memory", what) for what in record.rows("memory") if what.endswith(f": {process}")), None
        )

    return ask


def _busy(record: Record) -> float | None:
    rows = record.rows("threads")
    return record.quantile("threads", rows[-1], 0.99) if rows else None


_ONE = "one parent at a time"
_TARGETS: tuple[tuple[str, Ask, float, str], ...] = (
    ("200 durable steps, async task, async steps", _median("steps", "async task, async steps"), 0.4, "s"),
    ("200 durable steps, async task, plain steps", _median("steps", "async task, plain steps"), 0.4, "s"),
    ("200 durable steps, plain task", _median("steps", "plain task, plain steps"), 0.4, "s"),
    ("resume after the last child, warm, p50", _median("resume-warm", f"warm, {_ONE}"), 10, "ms"),
    ("resume after the last child, warm, p99", _p99("resume-warm", f"warm, {_ONE}"), 500, "ms"),
    ("resume after the last child, cold, p99", _p99("resume-cold", f"cold, {_ONE}"), 500, "ms"),
    ("a killed worker's runs execute again, p99", _p99("recovery", "until a lost run executes again"), 1_000, "ms"),
    ("a parked async run, beyond a bare asyncio task", _engine_memory, 4, "KiB"),
    ("50,000 waiting runs: resident memory of the worker", _waiting("the worker"), 400, "MB"),
    ("a link of the longest chain costs, against the shortest", _worst_growth, 1.5, "x"),
    ("2 threads, 200 plain runs wait: a new one starts, p99", _busy, 100, "ms"),
)


def _targets(record: Record) -> str:
    rows = []
    for text, ask, limit, unit in _TARGETS:
        value = ask(record)
        if value is not None:
            met = "yes" if value < limit else "**no**"
            rows.append([text, f"{figure(value)} {unit}", f"under {limit:g} {unit}", met])
    return "## Targets\n\n" + _table(["promise", "measured", "target", "met"], rows) if rows else ""


def _steps(record: Record) -> str:
    systems = {
        "steps": "detent, SQLite NORMAL, s",
        "steps-full": "detent, SQLite FULL, s",
        "steps-dbos": "DBOS in process, SQLite, s",
    }
    systems = {session: title for session, title in systems.items() if record.rows(session)}
    shapes = list(dict.fromkeys(what for session in systems for what in record.rows(session)))
    rows = [[shape, *(_with_range(record, session, shape) for session in systems)] for shape in shapes]
    count = record.data["sizes"]["steps"]
    return f"## {count} durable steps in one run\n\n" + _table(["shape", *systems.values()], rows) if rows else ""


def _latencies(record: Record) -> str:
    sessions = ("resume-warm", "resume-cold", "recovery", "threads", "herd")
    titles = {
        "resume-warm": "resume after the last child",
        "resume-cold": "resume after the last child",
        "recovery": "a killed worker",
        "threads": "start of a plain run, 2 threads",
        "herd": "trigger call over HTTP",
    }
    rows = []
    for session in sessions:
        for what in record.rows(session):
            if (p99 := record.quantile(session, what, 0.99)) is not None:
                samples = sum(len(one["samples"]) for one in record.of(session, what))
                rows.append([titles[session], what, figure(record.median(session, what)), figure(p99), f"{samples:,}"])
            else:
                rows.append([titles[session], what, f"{figure(record.median(session, what))} s", "-", "-"])
    heads = ["what", "when", "p50 ms", "p99 ms", "samples"]
    return "## Latencies\n\n" + _table(heads, rows) if rows else ""


def _memory(record: Record) -> str:
    units = {one["what"]: one["unit"] for one in record.data["measures"] if one["session"] == "memory"}
    rows = [[what, f"{_with_range(record, 'memory', what)} {units[what]}"] for what in record.rows("memory")]
    return "## Memory\n\n" + _table(["what", "resident"], rows) if rows else ""


def _links(record: Record) -> list[str]:
    return list(dict.fromkeys(what.partition("|")[0] for what in record.rows("chains")))


def _lengths(record: Record) -> list[int]:
    return sorted({int(what.partition("|")[2]) for what in record.rows("chains")})


def _growth(record: Record, what: str) -> float | None:
    lengths = _lengths(record)
    first, last = (record.median("chains", f"{what}|{length}") for length in (lengths[0], lengths[-1]))
    return last / first if first and last else None


def _chains(record: Record) -> str:
    lengths = _lengths(record)
    if not lengths:
        return ""
    rows = [
        [what, *(_with_range(record, "chains", f"{what}|{length}") for length in lengths)] for what in _links(record)
    ]
    heads = ["links", *(f"chain of {length:,}, ms a link" for length in lengths)]
    return "## Chains in one run\n\n" + _table(heads, rows)


def _machine(record: Record) -> str:
    return "## Machine\n\n" + "\n".join(f"* {name}: {text}" for name, text in record.data["machine"].items())


def _with_range(record: Record, session: str, what: str) -> str:
    values = record.values(session, what)
    if not values:
        return "-"
    middle = figure(statistics.median(values))
    return f"{middle} ({figure(min(values))} to {figure(max(values))})" if len(values) > 1 else middle


def _table(heads: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [heads, ["---"] * len(heads), *rows])
