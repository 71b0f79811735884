"""The server of the measurement: a process that serves the API, and makes one change after the other when told to."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from detent.engine import Engine
from detent.engine.operations import Operations
from detent.model.ids import new_id
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Claim, Claimed, Emit, Grant, Hello, MetadataOp, NewRun, StreamParts
from detent.server.app import make_app
from detent.server.http import HttpServer
from detent.store import SqliteStore

KEY = "dt_dev_bench"


class Bench:
    """An engine with runs that execute, and whatever they write."""

    def __init__(self, folder: Path, runs: int) -> None:
        self.engine = Engine(SqliteStore(folder / "detent.db", "NORMAL"))
        self.server = HttpServer(make_app(Operations(self.engine), key=KEY))
        hello = Hello("worker_bench", Manifest([TaskSpec("watched", "watched")], []), 1, 1.0, "here")
        self.session, _ = self.engine.connect(hello, lambda _push: None)
        self.engine.trigger([NewRun(new_id("run"), "watched", tags=["bench"]) for _ in range(runs)])
        self.grants: list[Grant] = []
        while len(self.grants) < runs:
            [claimed] = self.engine.handle(self.session, [Claim(async_=runs)])
            assert isinstance(claimed, Claimed)
            self.grants += claimed.grants
        self._written = 0

    def change(self, grant: Grant, kind: str) -> None:
        """One update of a run, which carries the time at which it was asked for."""
        now = str(time.time_ns())
        more: dict[str, Any] = {"metadata": [MetadataOp("self", "set", "at", now)]}
        if kind == "stream":
            more = {"writer": grant.epoch, "streams": [StreamParts("tokens", self._written, [now])]}
            self._written += 1
        self.engine.handle(self.session, [Emit(grant.run_id, grant.epoch, **more)])


def main() -> None:
    folder, runs = Path(sys.argv[1]), int(sys.argv[2])
    bench = Bench(folder, runs)
    print(json.dumps({"url": bench.server.start(), "runs": [grant.run_id for grant in bench.grants]}), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        for number in range(order["updates"]):
            began = time.perf_counter()
            bench.change(bench.grants[number % len(bench.grants)], order["kind"])
            time.sleep(max(0.0, order["every_s"] - (time.perf_counter() - began)))
        print(json.dumps({"done": order["updates"]}), flush=True)


if __name__ == "__main__":
    main()
