"""One session: one system, one pass, in a process of its own. Writes a line of JSON per thing that happens.

``python -m benchmarks.session SYSTEM FOLDER SIZES SEED`` is started by :mod:`benchmarks.supervisor` as the
leader of a process group. When its standard input closes (who started it is gone) it ends the whole group.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import traceback
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

from benchmarks.drivers import load
from benchmarks.measure import Sizes, measures


def main() -> int:
    system, folder, sizes, seed = sys.argv[1:]
    lines = private_stdout()
    threading.Thread(target=end_with_the_starter, daemon=True).start()

    def say(**event: Any) -> None:
        lines.write(json.dumps(event) + "\n")
        lines.flush()

    try:
        _run(system, Path(folder), Sizes(**json.loads(sizes)), int(seed), say)
    except Exception:
        say(error=traceback.format_exc())
        return 1
    return 0


def _run(system: str, folder: Path, sizes: Sizes, seed: int, say: Any) -> None:
    driver = load(system)(folder)
    began = time.perf_counter()
    driver.start()
    try:
        driver.result(driver.noop(0))
        say(
            system={
                "title": driver.title,
                "durable": driver.durable,
                "settings": driver.settings(),
                "versions": {name: metadata.version(name) for name in driver.packages},
                "pace": driver.pace,
                "settle_seconds": driver.settle_seconds,
            },
            start_seconds=time.perf_counter() - began,
            load_average=os.getloadavg()[0],
        )
        for measure in measures(driver, sizes, seed):
            say(measure=measure.as_dict())
    finally:
        driver.stop()


def private_stdout() -> TextIO:
    """The pipe to the starter, kept from libraries that print."""
    pipe = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return pipe


def end_with_the_starter() -> None:
    while os.read(0, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(os.getpgrp(), signal.SIGKILL)


if __name__ == "__main__":
    # Threads of a peer that outlive its own stop must not hold the session.
    status = main()
    sys.stderr.flush()
    os._exit(status)
