"""A report as Markdown: the table, the targets, the machine, the settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from benchmarks.report import Report, figure


def markdown(report: Report) -> str:
    """The whole page."""
    sections = [_head(report), _figures(report), _targets(report), _machine(report), _settings(report)]
    return "\n\n".join(section for section in sections if section) + "\n"


def _head(report: Report) -> str:
    noun = "pass" if report.passes == 1 else "passes"
    text = (
        "# Benchmark results\n\n"
        f"Made by `python -m benchmarks` on {report.began[:10]}, in {report.seconds:.0f} s: "
        f"{report.passes} interleaved {noun}. Figures are medians over the passes, "
        "p99 is the nearest rank among the samples of all passes. "
        "What each column means: [README.md](README.md). Machines are noisy: read ratios, not figures."
    )
    if report.left_out:
        text += "\n\nLeft out: " + "; ".join(f"{name} ({why})" for name, why in report.left_out.items()) + "."
    return text


def _figures(report: Report) -> str:
    sizes = report.sizes
    heads = [
        "system",
        "durable",
        "runs/s, 1 caller",
        f"runs/s, {sizes.callers} callers",
        "CPU ms/run",
        "trigger p50 / p99 ms",
        "idle start p50 / p99 ms",
        f"fan-out {sizes.children:,} s",
        f"chain {sizes.chain} s",
        "idle CPU %",
    ]
    rows = []
    for name, system in report.systems.items():
        rows.append(
            [
                system["title"],
                "yes" if system["durable"] else "no",
                _with_range(report, name, "runs_1"),
                _with_range(report, name, "runs_n"),
                figure(report.median(name, "runs_1", "cpu_ms_per_job")),
                _quantiles(report, name, "trigger"),
                _quantiles(report, name, "idle_start"),
                _with_range(report, name, "fan_out"),
                _with_range(report, name, "chain"),
                figure(report.median(name, "idle")),
            ]
        )
    if report.passes > 1:
        note = "In brackets: the lowest and the highest of the passes."
        return _rows(heads, rows) + f"\n\n{note}"
    return _rows(heads, rows)


def _with_range(report: Report, system: str, case: str) -> str:
    values = [measure["value"] for measure in report.of(system, case)]
    middle = figure(report.median(system, case))
    return f"{middle} ({figure(min(values))} to {figure(max(values))})" if len(values) > 1 else middle


def _quantiles(report: Report, system: str, case: str) -> str:
    return f"{figure(report.median(system, case))} / {figure(report.quantile(system, case, 0.99))}"


@dataclass(frozen=True)
class Target:
    """What detent promises. ``measure`` gives the figure, or None when it was not measured in this run."""

    text: str
    measure: Callable[[Report], float | None]
    met: Callable[[float], bool]
    unit: str


def _ratio(case: str, ours: str, theirs: str) -> Callable[[Report], float | None]:
    def measure(report: Report) -> float | None:
        mine, other = report.median(ours, case), report.median(theirs, case)
        return mine / other if mine and other else None

    return measure


def _own(case: str, system: str = "detent") -> Callable[[Report], float | None]:
    return lambda report: report.median(system, case)


TARGETS = (
    Target(
        "runs/s, NORMAL, 1 caller: above Dramatiq",
        _ratio("runs_1", "detent", "dramatiq"),
        lambda x: x > 1,
        "x",
    ),
    Target("runs/s, NORMAL, 1 caller: 4x Celery", _ratio("runs_1", "detent", "celery"), lambda x: x >= 4, "x"),
    Target(
        "runs/s, NORMAL, 1 caller: 8x DBOS in process",
        _ratio("runs_1", "detent", "dbos"),
        lambda x: x >= 8,
        "x",
    ),
    Target(
        "runs/s, FULL, 8 callers: above Dramatiq",
        _ratio("runs_n", "detent-full", "dramatiq"),
        lambda x: x > 1,
        "x",
    ),
    Target("runs/s, FULL, 8 callers: 4x Celery", _ratio("runs_n", "detent-full", "celery"), lambda x: x >= 4, "x"),
    Target("runs/s, FULL, 8 callers: 8x DBOS", _ratio("runs_n", "detent-full", "dbos"), lambda x: x >= 8, "x"),
    Target("trigger p50 under 1.5 ms", _own("trigger"), lambda x: x < 1.5, "ms"),
    Target("idle start p50 under 5 ms", _own("idle_start"), lambda x: x < 5, "ms"),
    Target("fan-out to 1,000 children under 0.25 s", _own("fan_out"), lambda x: x < 0.25, "s"),
    Target("chain of 200 under 1 s", _own("chain"), lambda x: x < 1, "s"),
    Target("idle CPU not measurable (under 1 % of a core)", _own("idle"), lambda x: x < 1, "%"),
)


def _targets(report: Report) -> str:
    rows = []
    for target in TARGETS:
        value = target.measure(report)
        if value is not None:
            rows.append([target.text, f"{figure(value)} {target.unit}", "yes" if target.met(value) else "**no**"])
    return "## Targets\n\n" + _rows(["target", "measured", "met"], rows) if rows else ""


def _machine(report: Report) -> str:
    return "## Machine\n\n" + "\n".join(f"* {name}: {text}" for name, text in report.machine.items())


def _settings(report: Report) -> str:
    lines = ["## Settings"]
    for name, system in report.systems.items():
        versions = ", ".join(f"{package} {version}" for package, version in system["versions"].items())
        jobs = [measure["count"] for measure in report.of(name, "runs_1")]
        lines.append(f"\n### {system['title']} (`{name}`)\n")
        lines.append(f"* {versions}")
        lines += [f"* {setting}" for setting in system["settings"]]
        if jobs:
            lines.append(f"* {jobs[0]:,} no-op runs a pass; taken as idle after {system['settle_seconds']:g} s")
    return "\n".join(lines)


def _rows(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
