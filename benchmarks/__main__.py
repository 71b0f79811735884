"""``python -m benchmarks``: measure, print the table, keep the record."""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from benchmarks import drivers, machine, table
from benchmarks.measure import CASES, Sizes
from benchmarks.progress import Watch
from benchmarks.report import Report
from benchmarks.supervisor import SessionFailed, run_session

RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> int:
    options = _parser().parse_args()
    if options.list is not None:
        return _list(options.list)
    try:
        names = drivers.choose([name for name in options.only.split(",") if name])
    except KeyError as error:
        print(f"no such system: {error.args[0]}; there are: {', '.join(drivers.DRIVERS)}", file=sys.stderr)
        return 2
    if options.passes is not None and options.passes < 1:
        print(f"--passes must be at least 1, not {options.passes}", file=sys.stderr)
        return 2
    passes = options.passes or (1 if options.quick else 3)
    out = options.out or (None if options.quick or options.only else RESULTS)
    record = options.json or (out.with_suffix(".json") if out else None)
    # A polite end (SIGTERM) takes the same way out as Ctrl-C: through every `finally`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sizes = Sizes.quick() if options.quick else Sizes()
    try:
        report, failed = _measure(names, passes, sizes, options.keep)
    except KeyboardInterrupt:
        print("stopped; nothing was written", file=sys.stderr)
        return 130
    page = table.markdown(report)
    if record:
        report.write(record)
    if out:
        out.write_text(page)
    print(page)
    return 1 if failed else 0


def _measure(names: list[str], passes: int, sizes: Sizes, keep: Path | None) -> tuple[Report, bool]:
    report = Report(datetime.now(UTC).isoformat(timespec="seconds"), passes, sizes, machine.describe())
    for name in names:
        reason = drivers.missing(name)
        if reason:
            report.left_out[name] = reason
    names = [name for name in names if name not in report.left_out]
    failed = False
    began = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="detent-bench-") as temporary,
        Watch(passes * len(names) * len(CASES)) as watch,
    ):
        for name, reason in report.left_out.items():
            watch.note(f"{name} left out: {reason}")
        for number in range(1, passes + 1):
            # Every pass begins with another system, so that none always comes after the same neighbour.
            turn = (number - 1) % max(1, len(names))
            for name in names[turn:] + names[:turn]:
                watch.begin(name, number, passes)
                folder = (keep or Path(temporary)).resolve() / f"{name}-{number}"
                try:
                    _session(report, watch, name, number, folder)
                except SessionFailed as error:
                    failed = True
                    report.left_out[name] = f"pass {number} failed"
                    watch.note(f"pass {number}  {name} failed:\n{error}")
    report.seconds = time.monotonic() - began
    report.systems = {name: report.systems[name] for name in names if name in report.systems}
    return report, failed


def _session(report: Report, watch: Watch, name: str, number: int, folder: Path) -> None:
    events = run_session(name, folder, report.sizes, seed=number)
    try:
        for event in events:
            if "system" in event:
                report.systems[name] = event.pop("system")
                report.sessions.append({"system": name, "pass": number, **event})
            else:
                measure = {"system": name, "pass": number, **event["measure"]}
                report.measures.append(measure)
                watch.measured(measure)
    finally:
        events.close()


def _list(record: Path) -> int:
    try:
        report = Report.read(record)
    except (OSError, ValueError) as error:
        print(f"no record to list: {error}", file=sys.stderr)
        return 1
    print("\n".join(report.lines()))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller counts and one pass; writes no file unless asked")
    parser.add_argument("--only", default="", metavar="A,B", help=f"systems, of: {', '.join(drivers.DRIVERS)}")
    parser.add_argument("--passes", type=int, help="interleaved passes (default 3; 1 with --quick)")
    parser.add_argument("--out", type=Path, help="Markdown file (default benchmarks/RESULTS.md for a whole run)")
    parser.add_argument("--json", type=Path, help="record of every timed run (default: next to --out)")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="keep each session's databases and logs there")
    parser.add_argument(
        "--list",
        type=Path,
        nargs="?",
        const=RESULTS.with_suffix(".json"),
        metavar="FILE",
        help="measure nothing: print every timed run of a record",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
