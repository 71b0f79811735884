"""``python -m benchmarks.durable``: measure what waits, steps and recovery cost; print the page, keep the record."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import tempfile
import time
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import drivers, machine
from benchmarks.durable.cases import CASES
from benchmarks.durable.measure import Sizes
from benchmarks.durable.page import Record, markdown
from benchmarks.report import figure
from benchmarks.supervisor import SessionFailed, run_session

PAGE = Path(__file__).parents[1] / "DURABLE.md"
#: After this a session is taken to hang.
SECONDS = 600
#: These take minutes each and vary little: in the first pass only.
ONCE = frozenset({"memory", "chains"})


def main() -> int:
    options = _parser().parse_args()
    names = [name for name in options.only.split(",") if name] or list(CASES)
    if unknown := sorted(set(names) - set(CASES)):
        print(f"no such case: {', '.join(unknown)}; there are: {', '.join(CASES)}", file=sys.stderr)
        return 2
    if drivers.missing("dbos"):
        names = [name for name in names if name != "steps-dbos"]
    whole = not (options.quick or options.only)
    out = options.out or (PAGE if whole else None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        data = _measure(
            names, options.passes or (1 if options.quick else 3), Sizes.quick() if options.quick else Sizes()
        )
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    page = markdown(Record(data))
    if out is not None:
        out.write_text(page)
        out.with_suffix(".json").write_text(json.dumps(data) + "\n")
    print(page)
    return 1 if data["failed"] else 0


def _measure(names: list[str], passes: int, sizes: Sizes) -> dict[str, Any]:
    data: dict[str, Any] = {
        "command": " ".join(["python -m benchmarks.durable", *sys.argv[1:]]),
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "passes": passes,
        "sizes": asdict(sizes),
        "machine": machine.describe(),
        "sessions": [],
        "measures": [],
        "failed": {},
    }
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="detent-bench-") as temporary:
        for number in range(1, passes + 1):
            # Every pass begins with another case, so that none always comes after the same neighbour.
            turn = (number - 1) % len(names)
            for name in names[turn:] + names[:turn]:
                if number > 1 and name in ONCE:
                    continue
                folder = Path(temporary).resolve() / f"{name}-{number}"
                try:
                    _session(data, name, number, sizes, folder)
                except SessionFailed as error:
                    data["failed"][name] = f"pass {number}"
                    print(f"pass {number}  {name} failed:\n{error}", file=sys.stderr)
    data["seconds"] = time.monotonic() - began
    return data


def _session(data: dict[str, Any], name: str, number: int, sizes: Sizes, folder: Path) -> None:
    module = "benchmarks.durable.session"
    events = run_session(name, folder, sizes, number, module=module, seconds=SECONDS)
    try:
        for event in events:
            if "measure" not in event:
                data["sessions"].append({"session": name, "pass": number, **event})
                continue
            measure = {"session": name, "pass": number, **event["measure"]}
            data["measures"].append(measure)
            shown = f"{figure(measure['value']):>8} {measure['unit']}"
            print(f"pass {number}  {name:<12} {measure['what']:<44} {shown}", file=sys.stderr, flush=True)
    finally:
        events.close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.durable", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller counts and one pass; writes no file unless asked")
    parser.add_argument("--only", default="", metavar="A,B", help=f"cases, of: {', '.join(CASES)}")
    parser.add_argument("--passes", type=int, help="interleaved passes (default 3; 1 with --quick)")
    parser.add_argument("--out", type=Path, help="Markdown file (default benchmarks/DURABLE.md for a whole run)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
