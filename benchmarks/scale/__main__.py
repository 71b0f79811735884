"""``python -m benchmarks.scale``: measure, print the table, keep the record."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.servers.postgresql import Postgresql
from tests.servers.redis import Redis

from benchmarks import machine
from benchmarks.drivers.base import ROOT
from benchmarks.scale.history import fill
from benchmarks.scale.page import markdown
from benchmarks.scale.systems import SYSTEMS

RESULTS = Path(__file__).parents[1] / "SCALE.md"

#: Name in the tables -> system, worker processes, finished runs in the store.
SESSIONS: dict[str, tuple[str, int, int]] = {
    "detent, 1 worker process": ("detent", 1, 0),
    "detent, 2": ("detent", 2, 0),
    "detent, 4": ("detent", 4, 0),
    "detent, 2, a million finished runs": ("detent", 2, 1_000_000),
    **{SYSTEMS[name].title: (name, 2, 0) for name in ("pgqueuer", "procrastinate", "dbos", "celery", "dramatiq")},
}


def main() -> int:
    options = _parser().parse_args()
    # A polite end (SIGTERM) takes the same way out as Ctrl-C: through every `finally`.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    chosen = {
        title: what
        for title, what in SESSIONS.items()
        if not options.only or any(word in title or word == what[0] for word in options.only.split(","))
    }
    figures: dict[str, list[dict[str, Any]]] = {title: [] for title in chosen}
    with tempfile.TemporaryDirectory(prefix="detent-scale-") as temporary:
        for number in range(options.passes):
            turn = number % len(chosen)
            titles = list(chosen)
            for title in titles[turn:] + titles[:turn]:
                name, processes, finished = chosen[title]
                finished = round(finished * options.share)
                found = _session(
                    Path(temporary) / f"{number}-{titles.index(title)}", name, processes, finished, options
                )
                figures[title].append(found)
                print(f"pass {number + 1}  {title}: {json.dumps(found)}", file=sys.stderr, flush=True)
    record = {"at": datetime.now(UTC).isoformat(timespec="seconds"), "machine": machine.describe(), "figures": figures}
    page = markdown(record)
    print(page)
    if options.out:
        options.out.write_text(page)
        options.out.with_suffix(".json").write_text(json.dumps(record, indent=1) + "\n")
    return 0


def _session(folder: Path, name: str, processes: int, finished: int, options: argparse.Namespace) -> dict[str, Any]:
    folder.mkdir(parents=True)
    with Postgresql(durable=True) as database, Redis() as redis:
        url = database.create_database()
        if finished:
            fill(url, finished)
        arguments = [name, str(processes), str(folder), url, redis.url, str(options.share)]
        with (folder / "session.log").open("wb") as log:
            done = subprocess.run(
                [sys.executable, "-m", "benchmarks.scale.session", *arguments],
                cwd=ROOT,
                env=dict(os.environ),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                check=False,
            )
        if done.returncode:
            return {"error": (folder / "session.log").read_text(errors="replace")[-2000:]}
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        return found


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--only", default="", metavar="A,B", help=f"of: {', '.join(SYSTEMS)}; or words of a title")
    parser.add_argument("--passes", type=int, default=3, help="interleaved passes (default 3)")
    parser.add_argument("--share", type=float, default=1.0, help="share of the usual number of runs (default 1)")
    parser.add_argument("--out", type=Path, help=f"Markdown file, such as {RESULTS.name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
