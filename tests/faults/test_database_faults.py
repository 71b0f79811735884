"""PostgreSQL is restarted, crashes, loses connections and the answers of commits; nothing acknowledged is lost (F6)."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.databases import migrated
from tests.servers.postgresql import Postgresql
from tests.servers.proxy import Proxy

from detent.errors import DetentError

from .database_tasks import TASKS
from .figures import figures
from .fleet import Fleet


class Caller(threading.Thread):
    """Triggers run after run, each until it is acknowledged, as a careful application does."""

    def __init__(self, fleet: Fleet, name: str, paused_s: float) -> None:
        super().__init__(name=name, daemon=True)
        self._fleet = fleet
        self._paused_s = paused_s
        self._over = threading.Event()
        #: Ids of the runs by what they were given.
        self.acknowledged: dict[int, str] = {}
        self.refused = 0

    def run(self) -> None:
        while not self._over.wait(self._paused_s):
            n = len(self.acknowledged)
            task = "two" if n % 2 else "two-plain"
            try:
                run = self._fleet.client.tasks.trigger(task, n, idempotency_key=f"{self.name}-{n}")
            except DetentError:
                self.refused += 1
            else:
                self.acknowledged[n] = run.id

    def stop(self) -> None:
        self._over.set()
        self.join()


def test_nothing_is_lost_or_doubled_while_the_database_comes_and_goes(tmp_path: Path) -> None:
    pester(tmp_path, faults=4, every_s=(0.1, 0.2), callers=2)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_nothing_is_lost_or_doubled_in_minutes_of_restarts_crashes_and_lost_answers(tmp_path: Path) -> None:
    pester(tmp_path, faults=60, every_s=(2, 8), callers=4, lost=30, durable=True)


def server_of(durable: bool) -> Postgresql:
    """Without fsync a commit survives every death of a process, and that is what comes here."""
    return Postgresql(durable=durable, settings={"synchronous_commit": "on"})


def pester(
    folder: Path,
    *,
    faults: int,
    every_s: tuple[float, float],
    callers: int,
    lost: int = 10,
    durable: bool = False,
) -> None:
    chance = random.Random(6)
    with server_of(durable) as server, Proxy(server.port) as proxy:
        migrated(server.url)
        url = server.url.replace(f":{server.port}/", f":{proxy.port}/")
        kinds: dict[str, Callable[[], None]] = {
            "crash": lambda: (server.kill(), server.start())[0],
            "reset": proxy.reset,
            "cut": lambda: cut(proxy, 0.3),
            "restart": server.restart,
            "refusal": lambda: refuse(proxy, 0.3),
        }
        with Fleet(folder, TASKS, workers=2, database_url=server.url, settings={"DETENT_DATABASE_URL": url}) as fleet:
            workforce = [Caller(fleet, f"caller{n}", 0.02) for n in range(callers)]
            for caller in workforce:
                caller.start()
            # So many commits are done and not answered.
            proxy.lose_answers(every=lost)
            order = list(kinds)
            began = time.monotonic()
            for number in range(faults):
                time.sleep(chance.uniform(*every_s))  # the pace of the fault, not a wait for anything
                kind = order[number % len(order)] if number < len(order) else chance.choice(order)
                kinds[kind]()
                if kind in ("cut", "refusal"):
                    proxy.lose_answers(every=lost)
            for caller in workforce:
                caller.stop()
            proxy.heal()
            passed = time.monotonic() - began
            acknowledged = {run: n for caller in workforce for n, run in caller.acknowledged.items()}
            fleet.await_rest(120)
            report, again = fleet.judge()
            rows = fleet.ask("SELECT id, payload, output, attempt FROM runs WHERE task <> 'leaf'")

    figures(
        "F6",
        f"{faults} faults of PostgreSQL (restart, crash, reset, cut, refusal) in {passed:.0f} s, one commit of {lost} "
        f"unanswered, {callers} callers",
        f"{len(acknowledged)} triggers acknowledged, {sum(caller.refused for caller in workforce)} refused, "
        f"{proxy.lost} answers lost; {dict(report.states)}, {report.lost_leases} leases lost, {again} effects again "
        "after a loss",
    )
    assert acknowledged
    assert {run for run, *_ in rows} >= acknowledged.keys(), "an acknowledged run is gone"
    for run, payload, output, attempt in rows:
        if run in acknowledged:
            assert (int(payload), int(output), attempt) == (acknowledged[run], 3 * acknowledged[run], 1)
    # One trigger that was not acknowledged may be there for each caller, and no key twice.
    assert len(rows) <= len(acknowledged) + callers
    assert report.states == {"COMPLETED": 2 * len(rows)}
    assert report.lost_leases == 0, "a worker was given up, and all that was away was the database"


def cut(proxy: Proxy, seconds: float) -> None:
    proxy.cut()
    time.sleep(seconds)
    proxy.heal()


def refuse(proxy: Proxy, seconds: float) -> None:
    proxy.refuse()
    time.sleep(seconds)
    proxy.heal()
