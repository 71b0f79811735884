"""`detent server` and `detent worker` as services: logs, signals, readiness, several on one database."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
from tests.servers.postgresql import fresh_database

from detent import Detent
from detent.client.http import HttpTransport
from detent_cli.__main__ import run

TASKS = """\
from detent import task


@task(id="produced")
async def produced(n: int) -> int:
    return n + 1
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "produced.py").write_text(TASKS)
    (tmp_path / "detent.toml").write_text('project = "made"\nport = 0\npublic_url = "https://detent.example.com"\n')
    return tmp_path


class Service:
    """A command that logs JSON to standard error."""

    def __init__(self, root: Path, *arguments: str, **variables: str) -> None:
        env = {name: value for name, value in os.environ.items() if not name.startswith("DETENT_")}
        command = [sys.executable, "-m", "detent_cli", *arguments, "--log-format", "json"]
        self.process = subprocess.Popen(
            command, cwd=root, env=env | variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )

    def __enter__(self) -> Service:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()

    def hear(self, words: str) -> dict[str, Any]:
        """The next line that has these words."""
        assert self.process.stderr is not None
        stream: IO[str] = self.process.stderr
        for text in stream:
            line: dict[str, Any] = json.loads(text)
            if words in line["message"]:
                return line
        pytest.fail(f"it ended without saying {words!r}")

    def end(self) -> int:
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=60)
        return self.process.returncode


def address_of(server: Service) -> str:
    return str(server.hear("serving made at")["message"]).rpartition(" ")[2]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_a_server_logs_json_says_that_it_is_ready_and_ends_in_order(root: Path, stack: ExitStack) -> None:
    server = stack.enter_context(Service(root, "server"))
    url = address_of(server)

    with httpx.Client(base_url=url, trust_env=False) as http:
        ready = http.get("/ready")
        by_its_public_name = http.get("/ready", headers={"host": "detent.example.com"})
        by_another = http.get("/ready", headers={"host": "rebound.example.com"})

    assert (ready.status_code, ready.json()) == (200, {"status": "ready"})
    assert by_its_public_name.status_code == 200
    assert by_another.status_code == 403
    assert server.end() == 0


@pytest.mark.soak
def test_several_servers_and_workers_share_a_database(root: Path, stack: ExitStack) -> None:
    url = stack.enter_context(fresh_database())
    key = "dt_dev_of_all_servers_0123456789"
    shared = {"DETENT_DATABASE_URL": url, "DETENT_SECRET_KEY": key}
    servers = [stack.enter_context(Service(root, "server", **shared)) for _ in range(2)]
    clients = [Detent(stack.enter_context(closing(HttpTransport(address_of(server), key)))) for server in servers]
    worker = stack.enter_context(Service(root, "worker", **shared))

    started = clients[0].tasks.trigger("produced", 1)
    assert clients[1].runs.poll(started.id, "60s").output == 2
    assert servers[0].end() == 0
    again = clients[1].tasks.trigger("produced", 2)

    assert clients[1].runs.poll(again.id, "60s").output == 3
    assert worker.end() == 0
    assert servers[1].end() == 0


def test_a_format_that_is_not_known_is_misuse(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["server", "--log-format", "xml"]) == 2
    assert "expected text or json" in capsys.readouterr().err
