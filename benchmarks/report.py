"""The record of one benchmark run: what it measured, on what, kept as JSON."""

from __future__ import annotations

import json
import statistics
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.measure import CASES, Sizes


@dataclass
class Report:
    """Everything that one ``python -m benchmarks`` measured. ``measures`` is in the order of measuring."""

    began: str
    passes: int
    sizes: Sizes
    machine: dict[str, str]
    systems: dict[str, dict[str, Any]] = field(default_factory=dict)
    measures: list[dict[str, Any]] = field(default_factory=list)
    sessions: list[dict[str, Any]] = field(default_factory=list)
    """Per session: system, pass, seconds until ready, load average of the machine before the first case."""
    left_out: dict[str, str] = field(default_factory=dict)
    """System -> why it has no figures, or not those of every pass."""
    seconds: float = 0.0

    def write(self, file: Path) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, file: Path) -> Report:
        """Raises ``OSError`` or ``ValueError`` when the file is not there or is none of ours."""
        found = json.loads(file.read_text())
        try:
            return cls(**{**found, "sizes": Sizes(**found["sizes"])})
        except (KeyError, TypeError) as error:
            raise ValueError(f"{file} is not a benchmark record: {error}") from error

    def of(self, system: str, case: str) -> list[dict[str, Any]]:
        return [measure for measure in self.measures if measure["system"] == system and measure["case"] == case]

    def median(self, system: str, case: str, key: str = "value") -> float | None:
        """Median over the passes, or None when nothing was measured."""
        values = [measure[key] for measure in self.of(system, case) if key in measure]
        return statistics.median(values) if values else None

    def quantile(self, system: str, case: str, share: float) -> float | None:
        """Nearest-rank quantile of the samples of all passes together."""
        samples = sorted(sample for measure in self.of(system, case) for sample in measure.get("samples_ms", []))
        if not samples:
            return None
        return float(samples[min(len(samples) - 1, round(share * len(samples) + 0.5) - 1)])

    def lines(self) -> list[str]:
        """Every timed run on a line of its own, in the order of measuring."""
        wide = max([len(measure["system"]) for measure in self.measures], default=0)
        return [
            f"{measure['at']}  pass {measure['pass']}  {measure['system']:<{wide}}  "
            f"{measure['case']:<{_CASE_WIDTH}}  {figure(measure['value']):>8} {measure['unit']:<6}  "
            f"{measure['count']:>5} in {measure['seconds']:.3f} s"
            for measure in self.measures
        ]


_CASE_WIDTH = max(map(len, CASES))


def figure(value: float | None) -> str:
    """A figure with about three significant digits."""
    if value is None:
        return "-"
    if value >= 100:
        return f"{value:,.0f}"
    if value >= 10:
        return f"{value:.1f}"
    return f"{value:.2f}"
