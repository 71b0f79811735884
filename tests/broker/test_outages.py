"""F5 with real worker processes, for as long as the list says: a minute without a broker, two seconds of latency ..."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.broker.town import Town
from tests.servers.databases import migrated
from tests.servers.postgresql import fresh_database
from tests.servers.process import until
from tests.servers.proxy import Proxy
from tests.servers.redis import Redis

pytestmark = [pytest.mark.soak, pytest.mark.timeout(600)]

#: Seconds that a fault lasts, and runs that are triggered in each.
LASTS_S = int(os.environ.get("DETENT_TEST_OUTAGE_S", "60"))
RATE = 5

TASKS = """
from pathlib import Path
from detent import task

@task(id="outage")
def outage(payload: int) -> None:
    with Path({effects!r}).open("a") as effects:
        effects.write(f"{{payload}}\\n")
"""


@contextmanager
def workers(folder: Path, url: str, broker_url: str) -> Iterator[None]:
    env = os.environ | {"DETENT_DATABASE_URL": url, "DETENT_BROKER_URL": broker_url}
    command = [sys.executable, "-m", "detent_cli", "worker", "--processes", "1"]
    both = [subprocess.Popen(command, cwd=folder, env=env) for _ in range(2)]
    try:
        yield
    finally:
        for each in both:
            each.terminate()
        for each in both:
            each.wait(60)


def away(proxy: Proxy, _server: Redis, over: threading.Event) -> None:
    proxy.refuse()
    over.wait()


def silent(proxy: Proxy, _server: Redis, over: threading.Event) -> None:
    proxy.cut()
    over.wait()


def slow(proxy: Proxy, _server: Redis, over: threading.Event) -> None:
    proxy.slow(latency_s=2.0)
    over.wait()


def forgetful(_proxy: Proxy, server: Redis, over: threading.Event) -> None:
    while not over.wait(0.05):
        server.flush()


def restarting(_proxy: Proxy, server: Redis, over: threading.Event) -> None:
    while not over.wait(3.0):
        server.restart()


@pytest.mark.parametrize("fault", [away, silent, slow, forgetful, restarting])
def test_no_run_is_lost_and_none_waits_for_longer_than_the_poll(
    fault: Callable[[Proxy, Redis, threading.Event], None], tmp_path: Path
) -> None:
    effects = tmp_path / "effects"
    effects.touch()
    (tmp_path / "detent.toml").write_text('project = "outages"\n')
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "outage.py").write_text(TASKS.format(effects=str(effects)))
    with fresh_database(migrated) as url, Redis() as server, Proxy(server.port) as proxy:
        broker_url = server.url.replace(str(server.port), str(proxy.port))
        place = Town(url, broker_url, tmp_path, [], None)
        with workers(tmp_path, url, broker_url):
            # Besides those of the town, which know no task.
            until("both workers", lambda: len(place.front.store.read("list_workers")) == 4)
            during = suffer(place, fault, proxy, server)
            proxy.heal()
            until("the return", lambda: place.state() == "ok")
            after = [place.trigger("outage", n) for n in range(len(during), len(during) + 20)]
            assert {place.ended(run) for run in during + after} == {"COMPLETED"}
        assert sorted(map(int, effects.read_text().split())) == list(range(len(during) + 20))
        waited = sorted(delay_of(place, run) for run in during)
        sys.stderr.write(f"\n{fault.__name__}: started after p50 {waited[len(waited) // 2]} ms, last {waited[-1]} ms\n")
        # A jittered second, and what a busy machine adds.
        assert waited[int(len(waited) * 0.99)] < 3_000
        place.close()


def suffer(
    place: Town, fault: Callable[[Proxy, Redis, threading.Event], None], proxy: Proxy, server: Redis
) -> list[str]:
    """What was triggered while `fault` lasted."""
    over, tick = threading.Event(), threading.Event()
    culprit = threading.Thread(target=fault, args=(proxy, server, over))
    culprit.start()
    runs: list[str] = []
    for n in range(LASTS_S * RATE):
        runs.append(place.trigger("outage", n))
        tick.wait(1 / RATE)
    over.set()
    culprit.join()
    return runs


def delay_of(place: Town, run_id: str) -> int:
    """Milliseconds from the trigger to the claim, by the clock of the database."""
    [row] = place.front.store.read("find_run", id=run_id)
    claims = [event["at"] for event in place.front.store.read("list_events", run_id=run_id) if event["kind"] == "claim"]
    assert len(claims) == 1
    return int(claims[0] - row["created_at"])
