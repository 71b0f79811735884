"""One session: one case, one pass. ``python -m benchmarks.durable.session CASE FOLDER SIZES SEED``.

Started by :mod:`benchmarks.supervisor` as the leader of a process group, which it ends when its starter is gone.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback
from pathlib import Path
from typing import Any

from benchmarks.durable.cases import CASES
from benchmarks.durable.measure import Sizes
from benchmarks.session import end_with_the_starter, private_stdout


def main() -> int:
    case, folder, sizes, seed = sys.argv[1:]
    lines = private_stdout()
    threading.Thread(target=end_with_the_starter, daemon=True).start()

    def say(**event: Any) -> None:
        lines.write(json.dumps(event) + "\n")
        lines.flush()

    try:
        say(load_average=os.getloadavg()[0])
        for measure in CASES[case](Path(folder), Sizes(**json.loads(sizes)), int(seed)):
            say(measure=measure.as_dict())
    except Exception:
        say(error=traceback.format_exc())
        return 1
    return 0


if __name__ == "__main__":
    # Threads of a peer that outlive its own stop must not hold the session.
    status = main()
    sys.stderr.flush()
    os._exit(status)
