"""Supervisors of versions: real servers, supervisors and workers."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.deploy.stage import Stage, until

TASKS = """from detent import step, task, wait


@task(id="versions-greet")
async def greet(payload: object) -> str:
    return "ONE"


@task(id="versions-wait")
async def waits(payload: str) -> str:
    first = await step("first", lambda: "a1")
    await wait.for_token(id=payload)
    return first + await step("second", lambda: "b1")
"""
CHANGED = TASKS.replace("ONE", "TWO").replace('"first"', '"another"').replace("b1", "b2")


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, {"tasks/work.py": TASKS})
    try:
        made.serve()
        yield made
    finally:
        made.close()


def test_runs_end_on_the_version_that_they_began_on_and_its_workers_go_then(stage: Stage) -> None:
    """Given runs of v1 that wait, when v2 changes their steps, then they end on v1, new ones on v2, and v1 goes; a
    version that cannot be prepared fails with what the resolver says, and changes nothing."""
    supervisor = stage.supervise()
    stage.said("no version is deployed to prod yet: run `detent deploy --env prod`")
    first = stage.deployed()
    tokens = [stage.call("tokens.create")["id"] for _ in range(20)]
    old = [stage.trigger("versions-wait", token) for token in tokens]
    until(lambda: all(stage.run(run)["status"] == "WAITING" for run in old))

    second = stage.deployed({"tasks/work.py": CHANGED})
    new = stage.ended(stage.trigger("versions-greet"))
    for token in tokens:
        stage.call("tokens.complete", id=token, output=1)
    ends = {(run["status"], run["output"], run["version"]) for run in map(stage.ended, old)}

    assert (new["output"], new["version"]) == ("TWO", second)
    assert ends == {("COMPLETED", "a1b1", first)}
    until(lambda: stage.deployment(first)["workers"] == 0)

    # What the building machine found, the supervisor's does not find.
    stage.pretend({"requirements.txt": "no-such-stone==4\n"})
    bad = stage.deploy()
    until(lambda: stage.deployment(bad)["status"] == "FAILED")
    error = stage.deployment(bad)["error"]
    assert "no-such-stone" in error["message"]
    assert stage.deployment("current")["version"] == second
    assert stage.ended(stage.trigger("versions-greet"))["output"] == "TWO"

    # And a supervisor that ends leaves nothing of its own behind.
    supervisor.send_signal(signal.SIGTERM)
    assert supervisor.wait(30) == 0
    assert not list((stage.cache / "running").iterdir())


@pytest.mark.soak
def test_a_supervisor_that_is_killed_starts_again_from_what_is_kept(stage: Stage) -> None:
    supervisor = stage.supervise()
    version = stage.deployed()
    stage.ended(stage.trigger("versions-greet"))
    supervisor.kill()
    supervisor.wait()
    until(lambda: stage.deployment(version)["workers"] == 0)
    # One of what it kept is damaged, and the network is gone.
    bundle = next((stage.cache / "bundles").glob("*.tar"))
    bundle.write_bytes(bundle.read_bytes()[:-7])
    left = next(path for path in (stage.cache / "running").iterdir() if path.is_dir())
    stage.variables |= {"UV_OFFLINE": "1", "PIP_NO_INDEX": "1"}

    stage.supervise()

    assert stage.ended(stage.trigger("versions-greet"))["output"] == "ONE"
    assert not left.exists()


@pytest.mark.soak
def test_a_way_back_under_load_fails_no_attempt(stage: Stage) -> None:
    stage.supervise("--concurrency", "20")
    first = stage.deployed()
    second = stage.deployed({"tasks/work.py": CHANGED})
    runs = []
    for turn in range(300):
        runs.append(stage.trigger("versions-greet"))
        if turn == 100:
            stage.call("deployments.rollback")
        if turn == 200:
            until(lambda: any(stage.run(run)["version"] == first for run in runs[100:]))
            stage.call("deployments.promote", id=second)
    ended = [stage.ended(run) for run in runs]
    assert {(run["status"], run["attempt"]) for run in ended} == {("COMPLETED", 1)}
    assert {run["version"] for run in ended} == {first, second}
    assert {(run["version"], run["output"]) for run in ended} == {(first, "ONE"), (second, "TWO")}


@pytest.mark.soak
def test_workers_go_on_while_the_server_is_away(stage: Stage) -> None:
    stage.supervise()
    stage.deployed()
    token = stage.call("tokens.create")["id"]
    run = stage.trigger("versions-wait", token)
    until(lambda: stage.run(run)["status"] == "WAITING")
    stage.server.kill()
    stage.server.wait()
    stage.said("the workers go on as they are")

    stage.serve()
    stage.call("tokens.complete", id=token, output=1)

    assert stage.ended(run)["output"] == "a1b1"
    second = stage.deployed({"tasks/work.py": CHANGED})
    assert stage.ended(stage.trigger("versions-greet"))["version"] == second


@pytest.mark.soak
@pytest.mark.parametrize("said", ["is being prepared", "is prepared", "worker process"])
def test_a_supervisor_killed_at_any_step_leaves_a_whole_version(said: str, stage: Stage) -> None:
    """Given one that is killed while it prepares or starts a version, when another comes, then the version runs."""
    supervisor = stage.supervise()
    stage.said("no version is deployed")
    version = stage.deploy()
    stage.said(said)
    supervisor.kill()
    supervisor.wait()
    shutil.rmtree(stage.cache / "venvs", ignore_errors=said == "is being prepared")

    stage.supervise()

    assert stage.ended(stage.trigger("versions-greet"))["output"] == "ONE"
    assert stage.deployment(version)["is_current"]


@pytest.mark.soak
def test_an_old_version_whose_runs_only_wait_has_no_workers_until_one_goes_on(stage: Stage) -> None:
    settings = 'dirs = ["tasks"]\n[worker]\nkeep_warm = "1s"\n'
    (stage.root / "detent.toml").write_text(settings)
    stage.supervise()
    first = stage.deployed()
    token = stage.call("tokens.create")["id"]
    run = stage.trigger("versions-wait", token)
    until(lambda: stage.run(run)["status"] == "WAITING")
    stage.deployed({"tasks/work.py": CHANGED})
    stage.said("its runs only wait")
    until(lambda: stage.deployment(first)["workers"] == 0)

    stage.call("tokens.complete", id=token, output=1)

    assert (stage.ended(run)["output"], stage.run(run)["version"]) == ("a1b1", first)
