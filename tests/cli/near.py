"""Commands in the process of the test, at a project that a server in it holds."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from detent.config import load_config
from detent.engine.scene import error_text
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Claim, Claimed, Finish, Hello, NewRun
from detent.model.task_error import TaskError
from detent.server.addresses import Reach
from detent.server.host import Host
from detent_cli.__main__ import run

__all__ = ["Near", "Said"]


class Said(NamedTuple):
    """What a command said, and its exit status."""

    status: int
    out: str
    err: str


class Near:
    """A project with a server."""

    def __init__(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (root / "detent.toml").write_text('project = "near"\n')
        self._capsys = capsys
        self.host = Host(load_config(root, {}), port=0, reach=Reach.LOOPBACK)
        self.host.start()
        hello = Hello("worker_1", Manifest([TaskSpec("near-fail", "q")]), pid=1, pid_started=1.0, host="elsewhere")
        self._session, _ = self.host.engine.connect(hello, lambda _push: None)

    def detent(self, *arguments: str) -> Said:
        """Run one command."""
        self._capsys.readouterr()
        status = run(arguments)
        return Said(status, *self._capsys.readouterr())

    def json(self, *arguments: str) -> Any:
        """What a command printed with `--json`."""
        return json.loads(self.detent(*arguments, "--json").out)

    def fail(self, run_id: str, message: str) -> None:
        """A run that has failed, and that the server has read of."""
        engine = self.host.engine
        engine.trigger([NewRun(run_id, "near-fail")])
        [claimed] = engine.handle(self._session, [Claim(async_=1)])
        assert isinstance(claimed, Claimed)
        error = error_text(TaskError("ValueError", message, "Traceback of it"))
        engine.handle(self._session, [Finish(run_id, claimed.grants[0].epoch, "FAILED", error=error)])
        while self.host.alerting.digest.sweep():
            pass
