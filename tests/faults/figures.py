"""What a fault test measured: printed, and kept for `RESULTS.md` when `python -m tests.faults` runs it."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

__all__ = ["FILE_VARIABLE", "figures", "percentile"]

#: Names the file that figures are appended to, one JSON array each.
FILE_VARIABLE = "DETENT_FIGURES"


def figures(fault: str, what: str, said: str) -> None:
    """Print figures, and keep them.

    Parameters:
      fault: such as ``F1``. what: the size of the test, such as ``300 runs, 3 workers``. said: what was measured.
    """
    print(f"\n{fault}, {what}: {said}")
    file = os.environ.get(FILE_VARIABLE)
    if file:
        with Path(file).open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([fault, what, said]) + "\n")


def percentile(values: Sequence[float], share: float) -> float:
    """The value that a `share` (0 to 1) of `values` does not exceed; 0 for none."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(share * len(ranked)))] if ranked else 0.0
