"""F7: a writer killed at any moment loses nothing that it acknowledged, and its file stays whole."""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing
from pathlib import Path

import pytest

WRITER = textwrap.dedent(
    """
    import os, sys, threading
    from pathlib import Path
    from detent.engine import Engine
    from detent.model.ids import new_id
    from detent.model.protocol import NewRun
    from detent.store import SqliteStore

    path, sync = Path(sys.argv[1]), sys.argv[2]
    # One child after another, forked from a process that has imported everything; the child is killed.
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            engine = Engine(SqliteStore(path, sync))
            def trigger():
                while True:
                    [handle] = engine.trigger([NewRun(new_id("run"), "work", "{}", known=True)])
                    os.write(1, (handle.id + "\\n").encode())
            for _ in range(3):
                threading.Thread(target=trigger, daemon=True).start()
            os.write(1, f"pid {os.getpid()}\\n".encode())
            trigger()
        os.waitpid(child, 0)
        os.write(1, b"dead\\n")
    """
)


def kill_again_and_again(folder: Path, sync: str, kills: int, seed: int) -> int:
    """How many runs were acknowledged and found, over so many kills."""
    chance = random.Random(seed)
    path = folder / "a.db"
    writer = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", WRITER, str(path), sync],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None
    acknowledged: set[str] = set()
    try:
        for kill in range(kills):
            writer.stdin.write(b"go\n")
            writer.stdin.flush()
            moment = None
            for raw in writer.stdout:
                line = raw.decode().strip()
                if line.startswith("pid "):
                    victim = int(line[4:])
                    moment = time.monotonic() + chance.random() * 0.03
                elif line == "dead":
                    break
                elif line.startswith("run_") and len(line) == 36:
                    acknowledged.add(line)
                if moment is not None and time.monotonic() >= moment:
                    os.kill(victim, signal.SIGKILL)
                    moment = None
            with closing(sqlite3.connect(path)) as db:
                stored = {run_id for (run_id,) in db.execute("SELECT id FROM runs")}
                lost = acknowledged - stored
                assert not lost, f"kill {kill} (seed {seed}, {sync}) lost {len(lost)} acknowledged runs"
                if kill % 10 == 9 or kill == kills - 1:
                    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
                events = db.execute("SELECT count(*) FROM events").fetchone()[0]
                assert events == len(stored), "a run without its history, or history without its run"
    finally:
        writer.stdin.close()
        writer.wait(30)
        writer.stdout.close()
    return len(acknowledged)


@pytest.mark.parametrize("sync", ["NORMAL", "FULL"])
def test_every_acknowledged_run_is_there_after_a_kill_in_the_middle_of_commits(tmp_path: Path, sync: str) -> None:
    assert kill_again_and_again(tmp_path, sync, kills=20, seed=7) > 20


@pytest.mark.soak
@pytest.mark.parametrize("sync", ["NORMAL", "FULL"])
def test_every_acknowledged_run_is_there_after_five_hundred_kills(tmp_path: Path, sync: str) -> None:
    found = sum(
        kill_again_and_again(folder, sync, kills=50, seed=seed)
        for seed in range(10)
        if (folder := tmp_path / str(seed)).mkdir() is None
    )
    assert found > 500
