"""Triggers that are pushed together make one run for each key, whenever the server is killed (F24)."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from detent.client.http import HttpTransport
from detent.embedded import running_server
from detent.engine.failpoints import VARIABLE
from detent.errors import ServerUnreachable
from detent.model.options import new_run
from detent.model.protocol import NewRun
from detent.store import SqliteStore

from .figures import figures
from .forks import CommandForks, ForkedCommand
from .project import wait_for

KEYS, ROUNDS, TOGETHER = 1_000, 3, 100
#: Where the servers die: before and after the commit of a trigger, the first or a later one.
DEATHS = [f"{side}_tasks_trigger:kill@{number}" for number in (1, 2, 3) for side in ("before", "after")]


class Servers:
    """One server after another for one project; each dies at its fail point."""

    def __init__(self, root: Path, commands: CommandForks) -> None:
        root.mkdir()
        (root / "detent.toml").write_text('project = "windows"\n')
        self.root = root
        self._commands = commands
        self._deaths = itertools.chain(DEATHS, itertools.repeat(""))
        self._server: ForkedCommand | None = None
        self._transport: HttpTransport | None = None
        self.died = 0

    def trigger(self, runs: list[NewRun]) -> None:
        """Send the runs until a server has taken them."""
        while True:
            transport = self._transport or self._start()
            try:
                transport.trigger(runs, batch_id=runs[0].batch_id)
            except ServerUnreachable:
                assert self._server is not None
                assert self._server.wait(30) == -9, self._server.log.read_text()
                transport.close()
                self._transport = None
                self.died += 1
            else:
                return

    def stop(self) -> None:
        if self._transport is not None:
            self._transport.close()
        if self._server is not None:
            with suppress(ProcessLookupError):
                self._server.kill()

    def _start(self) -> HttpTransport:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("DETENT_", "PYTEST"))}
        env[VARIABLE] = next(self._deaths)
        self._server = server = self._commands.run(["server", "--port", "0"], self.root, env, self.root / "server.log")

        def reached() -> bool:
            told = running_server(self.root / ".detent")
            return told is not None and told.pid == server.pid

        wait_for("the server listens", reached)
        told = running_server(self.root / ".detent")
        assert told is not None
        self._transport = HttpTransport(told.url, told.key, max_retries=0)
        return self._transport


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    commands = CommandForks()
    made = Servers(tmp_path / "p", commands)
    yield made
    made.stop()
    commands.close()


def push(key: int, number: int) -> NewRun:
    options = {"debounce": {"key": f"user-{key}", "delay": "1h", "mode": "trailing"}}
    return new_run("report", f"{number}", options, now=time.time_ns() // 1_000_000)


def test_a_thousand_keys_get_one_run_each_whenever_the_server_is_killed(servers: Servers) -> None:
    """Given 1,000 keys that are triggered three times each, when the server is killed before and after commits, then
    each key has one run, with the payload of its last trigger."""
    for number in range(ROUNDS):
        for first in range(0, KEYS, TOGETHER):
            servers.trigger([push(key, number) for key in range(first, first + TOGETHER)])
    servers.stop()
    store = SqliteStore(servers.root / ".detent" / "detent.db", "OFF")
    rows = store.read_sql("SELECT count(*) AS n, count(DISTINCT id) AS ids, min(payload) AS payload FROM runs", {})[0]
    windows = store.read_sql("SELECT count(*) AS n, count(DISTINCT run_id) AS runs FROM debounces", {})[0]
    store.close()
    assert servers.died == len(DEATHS)
    assert (rows["n"], rows["ids"], rows["payload"]) == (KEYS, KEYS, str(ROUNDS - 1))
    assert (windows["n"], windows["runs"]) == (KEYS, KEYS)
    figures(
        "F24", f"{KEYS} debounce keys, {KEYS * ROUNDS} triggers, {servers.died} deaths of the server", "one run each"
    )
