"""``python -m tests.faults [--soak] [F1 F9 ...]``: run fault tests, and write their figures into `RESULTS.md`.

Without names all of them; with ``--soak`` the long forms instead of the short ones.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from .figures import FILE_VARIABLE

HERE = Path(__file__).parent
RESULTS = HERE / "RESULTS.md"

#: The tests of each fault of the list, from the root of the repository.
FAULTS = {
    "F1": ["tests/faults/test_kill_storm.py"],
    "F2": ["tests/faults/test_failpoints.py"],
    "F3": ["tests/faults/test_zombies.py", "tests/faults/test_hosts.py"],
    "F6": ["tests/faults/test_database_faults.py"],
    "F8": ["tests/faults/test_clock_jumps.py"],
    "F9": ["tests/faults/test_limits.py"],
    "F10": ["tests/faults/test_fan_out.py"],
    "F11": ["tests/faults/test_recursion.py"],
    "F12": ["tests/faults/test_token_races.py"],
    "F13": ["tests/faults/test_many_parked.py"],
    "F16": ["tests/faults/test_cancel_races.py"],
    "F18": ["tests/faults/test_herds.py", "tests/engine/test_herd.py"],
    "F19": ["tests/faults/test_rolling_restarts.py"],
    "F20": ["tests/faults/test_fairness.py"],
    "F24": ["tests/faults/test_cron_slots.py"],
}

HEAD = """# Fault tests: the last figures

The faults are those of the list F1 to F26. Besides printing figures, each test checks the common oracle
(`tests/oracle.py`, `tests/faults/effects.py`). The figures are of a machine with two cores that others used at the
same time: orders of magnitude.

| Fault | Size | Figures | Command |
|---|---|---|---|
"""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("faults", nargs="*", metavar="FAULT", help=f"of {', '.join(FAULTS)}; all when none is named")
    parser.add_argument("--soak", action="store_true", help="the long forms")
    options = parser.parse_args()
    unknown = [fault for fault in options.faults if fault not in FAULTS]
    if unknown:
        parser.error(f"{unknown[0]!r} has no test; there are {', '.join(FAULTS)}")
    worst = 0
    for fault in options.faults or FAULTS:
        worst = max(worst, _run(fault, options.soak))
    return worst


def _run(fault: str, soak: bool) -> int:
    command = f"python -m tests.faults{' --soak' if soak else ''} {fault}"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "figures"
        marks = ["-m", "soak", "--timeout", "3600"] if soak else []
        ran = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-s", *marks, *FAULTS[fault]],
            cwd=HERE.parents[1],
            env=os.environ | {FILE_VARIABLE: str(file)},
            check=False,
        )
        lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    if ran.returncode == 0:
        _write(command, [json.loads(line) for line in lines])
    return ran.returncode


def _write(command: str, found: list[list[str]]) -> None:
    """Replace the rows of `command`; the others stay."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    rows = [line for line in text.splitlines() if line.startswith("| F") and not line.startswith("| Fault ")]
    rows = [row for row in rows if not row.endswith(f"| `{command}` |")]
    rows += [f"| {fault} | {what} | {said} | `{command}` |" for fault, what, said in found]
    rows.sort(key=lambda row: (int(row.split("|")[1].strip()[1:]), "--soak" in row))
    RESULTS.write_text(HEAD + "\n".join(rows) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
