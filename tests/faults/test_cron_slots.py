"""A server that is killed at the edges of the commit makes one run for each slot of each schedule (F24)."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from detent.engine import Engine
from detent.engine.failpoints import VARIABLE
from detent.engine.operations import Operations
from detent.model.manifest import Manifest, TaskSpec
from detent.model.protocol import Hello
from detent.store import SqliteStore

from .figures import figures
from .forks import CommandForks, ForkedCommand
from .project import wait_for

SCHEDULES = 1_000
#: How long servers die in the long form, in seconds: two minutes pass.
SOAK_S = 115
#: That of 2020, in milliseconds since 1970.
NEW_YEAR = 1_577_836_800_000


class Servers:
    """A project with schedules, and one server after another for it."""

    def __init__(self, root: Path, commands: CommandForks) -> None:
        self._root = root
        self._commands = commands
        self._database = root / ".detent" / "detent.db"
        self.deaths = 0
        root.mkdir()
        (root / "detent.toml").write_text('project = "slots"\n')

    def make_schedules(self, cron: str) -> None:
        store = SqliteStore(self._database, sync="OFF")
        engine = Engine(store)
        manifest = Manifest([TaskSpec("report", "task/report")])
        engine.connect(Hello("worker_1", manifest, pid=1, pid_started=1.0, host="gone"), lambda _: None)
        create = Operations(engine).call
        for number in range(SCHEDULES):
            create("schedules.create", task="report", cron=cron, deduplication_key=str(number))
        store.close()

    def make_due(self, slot: int) -> None:
        self.ask("UPDATE schedules SET next_at = ?", slot)

    def start(self, failpoint: str = "") -> ForkedCommand:
        env = {name: value for name, value in os.environ.items() if not name.startswith(("DETENT_", "PYTEST"))}
        log = self._root / "server.log"
        return self._commands.run(["server", "--port", "0"], self._root, env | {VARIABLE: failpoint}, log)

    def die_at(self, failpoint: str) -> None:
        point, _, nth = failpoint.partition("@")
        server = self.start(f"{point}:kill@{nth or 1}")
        # Until the next minute, where all slots of this one are passed.
        assert server.wait(90) == -9, server.log.read_text()
        self.deaths += 1

    def ask(self, sql: str, *values: Any) -> list[Any]:
        with closing(sqlite3.connect(self._database, timeout=30)) as db, db:
            return db.execute(sql, values).fetchall()

    def slots(self) -> Counter[tuple[str, str]]:
        """How many runs each slot of each schedule has."""
        return Counter(self.ask("SELECT schedule_id, json_extract(payload, '$.timestamp') FROM runs"))


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    commands = CommandForks()
    yield Servers(tmp_path / "p", commands)
    commands.close()


def test_a_thousand_schedules_get_one_run_each_whenever_the_server_is_killed(servers: Servers) -> None:
    """Given 1,000 schedules that are due, when the server is killed before and after commits, again and again, then
    each has one run, for the latest slot that was missed."""
    servers.make_schedules("0 0 1 1 *")
    servers.make_due(NEW_YEAR)
    points = ["before_schedules", "after_schedules", "before_schedules@3", "after_schedules@2", "before_schedules@2"]
    for point in points:
        servers.die_at(point)
    last = servers.start()
    wait_for("all slots are passed", lambda: servers.ask("SELECT count(*) FROM runs") == [(SCHEDULES,)])
    last.kill()
    slots = servers.slots()
    assert set(slots.values()) == {1}
    assert len({schedule for schedule, _ in slots}) == SCHEDULES
    assert len({slot for _, slot in slots}) == 1
    assert servers.ask("SELECT count(*) FROM schedules WHERE next_at <= last_at") == [(0,)]
    figures("F24", f"{SCHEDULES} schedules due, {servers.deaths} deaths of the server", "one run for each slot")


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_every_minute_of_a_thousand_schedules_gets_its_run_while_servers_die(servers: Servers) -> None:
    """Given 1,000 schedules for every minute, when servers die at the edges of the commit for two minutes, then each
    minute has one run of each."""
    chance = random.Random(24)  # a game
    servers.make_schedules("* * * * *")
    ends = time.monotonic() + SOAK_S
    while time.monotonic() < ends:
        side, number = chance.choice(["before", "after"]), chance.randint(1, 2)
        # Of ten batches each minute.
        servers.die_at(f"{side}_schedules@{number}")
    last = servers.start()
    now = int(time.time() * 1000)
    wait_for("no slot is due", lambda: servers.ask("SELECT count(*) FROM schedules WHERE next_at <= ?", now) == [(0,)])
    last.kill()
    slots = servers.slots()
    of_each = Counter(schedule for schedule, _ in slots)
    minutes = len({slot for _, slot in slots})
    assert set(slots.values()) == {1}
    assert set(of_each.values()) == {minutes}
    assert len(of_each) == SCHEDULES
    [(first, latest)] = servers.ask("SELECT min(last_at), max(last_at) FROM schedules")
    assert first == latest
    figures("F24", f"{SCHEDULES} schedules, {minutes} minutes, {servers.deaths} deaths", "one run for each slot")
