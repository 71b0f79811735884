"""The process that holds a project, put together from its settings."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from detent.config import load_config
from detent.errors import ConfigError
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Claim, Claimed, Emit, Finish, Hello, LogLine, NewRun
from detent.server.host import Host


def test_a_run_older_than_the_retention_goes_with_its_logs_and_large_texts(tmp_path: Path) -> None:
    (tmp_path / "detent.toml").write_text('retention = "1h"\n')
    host = Host(load_config(tmp_path, {}), port=0)
    host.start()
    try:
        hello = Hello("worker_1", Manifest([TaskSpec("work", "work")]), pid=1, pid_started=1.0, host="elsewhere")
        session, _ = host.engine.connect(hello, lambda _push: None)
        host.objects.put("outputs/run_1", b"1")
        host.engine.trigger([NewRun("run_1", "work")])
        [claimed] = host.engine.handle(session, [Claim(async_=1)])
        assert isinstance(claimed, Claimed)
        epoch = claimed.grants[0].epoch
        line = LogLine(1, "info", "said", None, None, "logger")
        host.engine.handle(
            session,
            [
                Emit("run_1", epoch, logs=[line]),
                Finish("run_1", epoch, "COMPLETED", output_ref="outputs/run_1"),
            ],
        )
        assert host.telemetry.logs("run_1")
        assert host.engine.remove_old_runs() == 0

        with closing(sqlite3.connect(tmp_path / ".detent" / "detent.db")) as db, db:
            db.execute("UPDATE runs SET finished_at = finished_at - 3600000")
        while host.alerting.digest.sweep():  # a run stays until its end has been read
            pass
        assert host.engine.remove_old_runs() == 1
        assert host.engine.delete_removed_objects() == 1

        assert host.engine.result("run_1") is None
        assert host.telemetry.logs("run_1") == []
        assert not host.objects.exists("outputs/run_1")
    finally:
        host.stop()


def test_a_wrong_fail_point_is_refused_where_a_server_starts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DETENT_FAILPOINT", "after_clam:kill")
    with pytest.raises(ConfigError, match="no fail point named 'after_clam'; did you mean 'after_claim'"):
        Host(load_config(tmp_path, {}), port=0).start()


def test_a_wrong_fail_point_is_refused_where_a_worker_starts(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "detent.worker", "--project", str(tmp_path), "--socket", "none", "--worker-id", "w"],
        env=os.environ | {"DETENT_FAILPOINT": "after_claim"},
        stdin=subprocess.PIPE,  # open: a worker ends with its parent
        stderr=subprocess.PIPE,
        text=True,
    ) as worker:
        assert worker.stderr is not None
        said = worker.stderr.read()
        assert worker.wait(30) == 78
    assert "expected after_claim:ACTION" in said
