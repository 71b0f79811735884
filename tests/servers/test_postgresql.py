from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import psycopg
import pytest
from tests.servers.postgresql import Postgresql, find_binaries, fresh_database
from tests.servers.process import until

ROOT = Path(__file__).parents[2]


def build_shelves(url: str) -> None:
    with psycopg.connect(url) as db:
        db.execute("CREATE TABLE shelves (n BIGINT)")
        db.execute("INSERT INTO shelves VALUES (1)")


def count(url: str) -> int:
    with psycopg.connect(url) as db:
        row = db.execute("SELECT count(*) FROM shelves").fetchone()
        assert row is not None
        return int(row[0])


def test_every_fresh_database_is_a_copy_of_its_own_and_is_gone_when_the_next_comes() -> None:
    with fresh_database(build_shelves) as url:
        with psycopg.connect(url) as db:
            db.execute("INSERT INTO shelves VALUES (2)")
        assert count(url) == 2
        with fresh_database(build_shelves) as other:
            assert count(other) == 1
    with fresh_database() as empty, psycopg.connect(empty) as db:
        assert db.execute("SELECT to_regclass('shelves')").fetchone() == (None,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(other)


def test_a_server_keeps_what_was_committed_through_a_stop_and_a_kill() -> None:
    with Postgresql(durable=True) as server:
        build_shelves(server.url)
        open_one = psycopg.connect(server.url)
        open_one.execute("INSERT INTO shelves VALUES (2)")
        server.kill()
        with pytest.raises(psycopg.OperationalError):
            open_one.execute("SELECT 1")
        open_one.close()
        assert not server.answers()
        server.start()
        assert count(server.url) == 1
        server.restart()
        assert count(server.url) == 1
        assert server.admin().execute("SHOW fsync").fetchone() == ("on",)
    assert not server.folder.exists()


def test_without_a_server_on_path_the_wheel_has_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    folder = find_binaries()
    assert folder.parent.name == "pginstall"
    monkeypatch.undo()
    with Postgresql(binaries=folder) as server:
        build_shelves(server.url)
        assert count(server.url) == 1


SERVES = """
import os, sys
from tests.servers.postgresql import shared_postgresql
server = shared_postgresql()
print(server.pid, server.folder, flush=True)
sys.stdin.read()
"""


def test_a_server_and_its_folder_are_gone_when_the_tests_were_killed() -> None:
    child = subprocess.Popen(
        [sys.executable, "-c", SERVES],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
    )
    with child:
        assert child.stdout is not None
        pid, folder = child.stdout.readline().split()
        server = psutil.Process(int(pid))
        child.kill()
        child.communicate()
    until("the end of the server", lambda: is_gone(server) and not Path(folder).exists())


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
