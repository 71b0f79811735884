"""Projects on their way to an environment of a real server, whatever comes between."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests.deploy.project import task, write
from tests.deploy.this_python import ThisPython

from detent.client import Detent, HttpTransport
from detent.config import Config, load_config
from detent.connection import transport_of
from detent.deploy import DeployEvent, DeploymentCanceled, DeploymentFailed, deploy
from detent.errors import NotFound
from detent.model.deployment_views import Deployment
from detent.model.transport import Transport
from detent.server.addresses import Reach
from detent.server.host import Host


class Shop:
    """A project with a server of its own, and its environment prod."""

    def __init__(self, root: Path) -> None:
        self.root = write(root, {"detent.toml": 'project = "shop"\ndirs = ["tasks"]\n'})
        self.change(1)
        self.host = Host(self.config, port=0, reach=Reach.LOOPBACK)
        self.host.start()
        self.transport: Transport = transport_of(self.config)
        self._coming: list[threading.Thread] = []
        self.events: list[DeployEvent] = []
        self.deployments = Detent(self.transport).deployments

    @property
    def config(self) -> Config:
        return replace(load_config(self.root, {}), environment="prod")

    def change(self, number: int, more: str = "") -> None:
        write(self.root, {"tasks/shop.py": task("deployed-shop") + f"# {number}\n{more}"})

    def deploy(self, **options: Any) -> Deployment:
        hear = options.pop("on_event", lambda _event: None)

        def listen(event: DeployEvent) -> None:
            self.events.append(event)
            hear(event)

        return deploy(self.config, self.transport, **{"environments": ThisPython(), "on_event": listen} | options)

    def restart(self) -> None:
        """Stop the server, and start another one that comes while it is asked for."""
        port = urlsplit(self.host.url).port
        self.host.stop()
        self.host = Host(self.config, port=port, reach=Reach.LOOPBACK)
        coming = threading.Thread(target=self.host.start)
        coming.start()
        self._coming.append(coming)

    def close(self) -> None:
        for coming in self._coming:
            coming.join()
        self.transport.close()
        self.host.stop()

    def supervise(self, **report: Any) -> Any:
        """A supervisor of workers says how far it is."""
        return self.transport.call("deployments.supervise", supervisor="sup_1", host="rack-7", **report)

    @property
    def current(self) -> str | None:
        try:
            return self.deployments.retrieve("current").version
        except NotFound:
            return None


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path / "shop")
    yield shop
    shop.close()


def test_a_project_is_brought_to_its_environment_step_by_step(shop: Shop) -> None:
    # When it is deployed
    made = shop.deploy(message="first", by="ada")
    # Then it is current, and each step was told of with its time
    assert (made.status, made.is_current, made.tasks, made.environment) == ("DEPLOYED", True, 1, "prod")
    assert made.created_by == "ada"
    assert made.git is not None
    assert made.git.message == "first"
    done = [event for event in shop.events if event.kind == "done"]
    assert [event.step for event in done] == ["build", "check", "upload", "prepare", "promote"]
    assert all(event.seconds is not None for event in done)
    # And the server keeps the log
    log = [line.text for line in shop.deployments.log(made.id).items]
    assert "environment made" in log
    assert any(line.startswith("check: 1 task, Python 3") for line in log)


def test_files_that_the_current_version_has_are_deployed_again_only_on_request(shop: Shop) -> None:
    first = shop.deploy()
    shop.events.clear()
    assert shop.deploy().id == first.id
    assert shop.events[-1].text == f"{first.version} has this already, prod stays as it is"
    assert len(list(shop.deployments.list())) == 1
    forced = shop.deploy(force=True)
    assert forced.version != first.version
    assert next(e.text for e in shop.events if (e.kind, e.step) == ("done", "upload")) == "the server has it already"


def test_a_version_is_kept_for_later(shop: Shop) -> None:
    first = shop.deploy()
    shop.change(2)
    kept = shop.deploy(skip_promotion=True)
    assert (kept.status, kept.is_current, shop.current) == ("DEPLOYED", False, first.version)
    assert f"detent promote {kept.version}" in shop.events[-1].text


def test_variables_are_set_before_the_version_is_current_and_are_never_shown(shop: Shop) -> None:
    shop.deploy(variables={"TOKEN": "5ecret-5ecret"})
    assert [each.name for each in Detent(shop.transport).envvars.list()] == ["TOKEN"]
    assert any(event.text.endswith("; variables set: TOKEN") for event in shop.events)
    assert "5ecret" not in "".join(event.text for event in shop.events)


@pytest.mark.parametrize(
    ("change", "environments", "step", "why"),
    [
        ("import flow_nowhere\n", ThisPython(), "check", r"tasks/shop.py:\d+: .*flow_nowhere"),
        ("", ThisPython("no version of torch fits"), "check", "no version of torch fits"),
        ("KEY = 'AKIA" + "Z3MQ7RTW2KLP9XVD'\n", ThisPython(), "build", "tasks/shop.py:8"),
    ],
)
def test_what_cannot_be_built_changes_nothing(
    shop: Shop, change: str, environments: ThisPython, step: str, why: str
) -> None:
    before = shop.deploy().version
    shop.change(2, change)
    with pytest.raises(DeploymentFailed, match=why) as caught:
        shop.deploy(environments=environments)
    assert str(caught.value).endswith(f"prod still runs {before}")
    assert (caught.value.step, caught.value.current, shop.current) == (step, before, before)
    failed = shop.deployments.retrieve("latest")
    assert failed.status == "FAILED"
    assert failed.error is not None
    assert failed.error.step == step


@pytest.mark.parametrize("place", [("line", "check"), ("begun", "prepare")])
def test_ctrl_c_cancels_it_wherever_it_is(shop: Shop, place: tuple[str, str]) -> None:
    before = shop.deploy().version
    shop.change(2)

    def interrupt(event: DeployEvent) -> None:
        if (event.kind, event.step) == place:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        shop.deploy(on_event=interrupt)
    assert shop.events[-1].kind == "canceled"
    assert (shop.deployments.retrieve("latest").status, shop.current) == ("CANCELED", before)
    assert shop.deploy().is_current


def test_a_program_stops_it_by_an_event_and_a_person_by_its_version(shop: Shop) -> None:
    stop = threading.Event()
    with pytest.raises(DeploymentCanceled, match="nothing was deployed to prod yet"):
        shop.deploy(stop=stop, on_event=lambda event: stop.set() if event.step == "check" else None)

    def cancel(event: DeployEvent) -> None:
        if (event.kind, event.step) == ("begun", "upload"):
            shop.deployments.cancel("latest")

    with pytest.raises(DeploymentCanceled, match="was canceled by somebody else"):
        shop.deploy(on_event=cancel)
    assert shop.current is None


def test_a_server_that_is_started_anew_meanwhile_does_no_harm(shop: Shop) -> None:
    def restart(event: DeployEvent) -> None:
        if (event.kind, event.step) in (("created", "build"), ("begun", "upload"), ("begun", "prepare")):
            shop.restart()

    # Given one that reaches the server at its address alone
    shop.transport.close()
    shop.transport = HttpTransport(shop.host.url, shop.host.key, environment="prod")
    made = shop.deploy(on_event=restart)
    assert made.is_current
    assert len(list(Detent(shop.transport).deployments.list())) == 1


def test_workers_prepare_it_before_it_is_current(shop: Shop) -> None:
    # Given a supervisor of workers that is connected
    shop.supervise()

    def prepare(event: DeployEvent) -> None:
        if event.kind == "workers" and event.supervisors[0].state == "preparing":
            assert event.deployment is not None
            assert shop.current is None
            shop.supervise(ready=[event.deployment.version])

    # When it says that it is ready, then the version becomes current
    made = shop.deploy(on_event=prepare)
    assert made.is_current
    assert next(e.text for e in shop.events if (e.kind, e.step) == ("done", "prepare")) == "ready on 1 host"

    # When it cannot prepare the next one, then that says which host and why
    def break_it(event: DeployEvent) -> None:
        if event.kind == "workers":
            assert event.deployment is not None
            shop.supervise(failed={event.deployment.version: {"code": "deploy_failed", "message": "the disk is full"}})

    shop.change(2)
    with pytest.raises(DeploymentFailed, match="prepare failed: rack-7: the disk is full"):
        shop.deploy(on_event=break_it)
    assert shop.current == made.version


def test_what_takes_longer_than_its_timeout_is_canceled(shop: Shop) -> None:
    shop.supervise()
    with pytest.raises(DeploymentCanceled, match="not done within the timeout of 2s"):
        shop.deploy(timeout="2s")
    assert shop.deployments.retrieve("latest").status == "CANCELED"


def test_of_two_at_once_the_newer_stays_current(shop: Shop) -> None:
    first_waits, second_is_done = threading.Event(), threading.Event()

    def hold(event: DeployEvent) -> None:
        if (event.kind, event.step) == ("begun", "prepare"):
            first_waits.set()
            assert second_is_done.wait(30)

    with ThreadPoolExecutor(1) as pool:
        older = pool.submit(shop.deploy, on_event=hold)
        assert first_waits.wait(30)
        shop.change(2)
        newer = shop.deploy()
        second_is_done.set()
        made = older.result()
    assert newer.is_current
    assert (made.status, made.is_current, shop.current) == ("DEPLOYED", False, newer.version)
    assert "is newer" in (made.note or "")


@pytest.mark.parametrize(
    "place",
    [
        "begun prepare",
        pytest.param("created build", marks=pytest.mark.soak),
        pytest.param("line check", marks=pytest.mark.soak),
        pytest.param("done check", marks=pytest.mark.soak),
        pytest.param("begun upload", marks=pytest.mark.soak),
    ],
)
def test_a_deploy_that_is_killed_leaves_a_whole_version(shop: Shop, place: str) -> None:
    before = shop.deploy().version
    shop.change(2)
    killed = subprocess.run([sys.executable, "-m", "tests.deploy.killed", shop.root, *place.split()], timeout=60)
    assert killed.returncode == -9
    # Then the environment runs what it ran, and the next one need not wait
    left = shop.deployments.retrieve("latest")
    assert (left.status in ("PENDING", "BUILDING"), shop.current) == (True, before)
    assert shop.deploy().is_current
    # And what is left can be given up
    assert shop.deployments.cancel(left.id).status == "CANCELED"


@pytest.mark.soak
def test_a_deploy_that_is_killed_while_workers_prepare_it_goes_on_without_it(shop: Shop) -> None:
    before = shop.deploy().version
    shop.change(2)
    shop.supervise()
    killed = subprocess.run([sys.executable, "-m", "tests.deploy.killed", shop.root, "workers", "prepare"], timeout=60)
    assert killed.returncode == -9
    left = shop.deployments.retrieve("latest")
    assert (left.status, shop.current) == ("DEPLOYING", before)
    shop.supervise(ready=[left.version])
    assert shop.current == left.version
