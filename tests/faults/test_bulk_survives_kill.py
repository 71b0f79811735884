"""The server is killed in the middle of work on many runs: it goes on where it was, and each run is handled once."""

from __future__ import annotations

import os
import signal
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from .project import Project, wait_for

RUNS = 1_500


@pytest.mark.parametrize("action", ["replay", "cancel"])
def test_a_server_that_is_killed_in_a_bulk_action_handles_each_run_once(tmp_path: Path, action: str) -> None:
    with Project(tmp_path / "p") as project:
        server = project.run("server", "--port", "0", "--json")
        client = project.client()
        ids = set()
        for start in range(0, RUNS, 500):
            items = [{"payload": n} for n in range(start, start + 500)]
            ids |= {run.id for run in client.tasks.batch_trigger(items, "child").runs}

        made = getattr(client.runs.bulk, action)(task="child")
        wait_for("it is under way", lambda: client.runs.bulk.retrieve(made.id).total)
        os.kill(server.pid, signal.SIGKILL)
        server.process.wait()
        with closing(sqlite3.connect(project.root / ".detent" / "detent.db")) as database:
            [(total, ended)] = database.execute("SELECT succeeded, ended_at FROM bulk_actions").fetchall()
        assert ended is None
        assert 0 < total < RUNS

        project.run("server", "--port", "0", "--json")
        done = project.client().runs.bulk.poll(made.id, "60s")

        assert (done.status, done.succeeded, done.total) == ("COMPLETED", RUNS, RUNS)
        with closing(sqlite3.connect(project.root / ".detent" / "detent.db")) as database:
            if action == "replay":
                rows = database.execute("SELECT replay_of, count(*) FROM runs WHERE replay_of IS NOT NULL GROUP BY 1")
            else:
                rows = database.execute("SELECT run_id, count(*) FROM events WHERE state = 'CANCELED' GROUP BY 1")
            assert dict(rows.fetchall()) == dict.fromkeys(ids, 1)
