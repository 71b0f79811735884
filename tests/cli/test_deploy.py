"""`detent deploy` and its like, at a server in this process."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cli.conftest import DETENT, environment
from tests.cli.near import Near
from tests.deploy.project import task, write


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where virtual environments are kept, for all tests."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def shop(near: Near, tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Near]:
    """A project with a task, at a server."""
    # What commands set for themselves is taken back with it.
    monkeypatch.setenv("DETENT_ENVIRONMENT", "")
    monkeypatch.setenv("DETENT_CACHE_DIR", str(cache))
    monkeypatch.setenv("GITHUB_ACTOR", "ada")
    write(tmp_path, {"detent.toml": 'project = "near"\ndirs = ["tasks"]\n', "tasks/a.py": task("commanded")})
    yield near


def change(root: Path, more: str = "") -> None:
    with (root / "tasks" / "a.py").open("a") as file:
        file.write(f"# another line\n{more}")


def test_a_version_is_deployed_looked_at_promoted_and_rolled_back(shop: Near, tmp_path: Path) -> None:
    # When it is deployed
    done = shop.detent("deploy", "--prod", "--message", "The first")
    # Then one line is the outcome, and what was done stands beside it
    assert (done.status, done.out.count("\n")) == (0, 1), done.err
    first = done.out.split()[-1]
    assert done.out == f"prod runs {first}\n"
    assert [line.split()[0] for line in done.err.splitlines()[1:6]] == [
        "build",
        "check",
        "upload",
        "prepare",
        "promote",
    ]
    assert f'prod {first}, "The first"' in done.err
    # When nothing has changed, then that is said
    same = shop.detent("deploy", "--env", "prod")
    assert (same.status, same.out) == (
        0,
        f"prod runs {first}, which has this already; deploy it anew with --force\n",
    )
    # When another one is deployed without promotion
    change(tmp_path)
    kept = shop.json("deploy", "-e", "production", "--skip-promotion")
    assert (kept["is_current"], kept["unchanged"], kept["created_by"]) == (False, False, "ada")
    assert [step["step"] for step in kept["steps"]] == ["build", "check", "upload", "prepare", "promote"]
    second = kept["version"]
    # Then it is promoted, and taken back
    assert shop.detent("promote", "--prod").out == f"prod runs {second}; before it {first}\n"
    back = shop.json("rollback", "--prod")
    assert (back["version"], back["before"], back["is_current"]) == (first, second, True)
    # And all of it can be seen
    environments = {each["name"]: each["version"] for each in shop.json("environments", "list")["items"]}
    assert environments == {"dev": None, "staging": None, "prod": first}
    shown = shop.detent("deploys", "list", "--prod").out
    assert [line.split()[0] for line in shown.splitlines()[1:]] == [second, "*"]
    assert shop.detent("deployments", "list", "--prod").out == shown
    page = shop.detent("deploys", "get", "--prod").out
    assert all(part in page for part in (first, "DEPLOYED", "prod, current", "commanded  tasks/a.py:4", "by ada"))
    log = shop.detent("deploys", "log", second, "--prod", "--follow").out
    assert "check: 1 task, Python" in log
    assert shop.json("deploys", "log", second, "--prod")["next_after"] is None


def test_who_triggers_what_no_worker_or_no_version_runs_is_told_so(shop: Near) -> None:
    version = shop.json("deploy", "--prod")["version"]
    known = shop.detent("--env", "prod", "tasks", "trigger", "commanded", "--payload", '"a"')
    assert f"no worker of the current version {version} is connected" in known.err
    unknown = shop.detent("--env", "prod", "tasks", "trigger", "comanded", "--payload", '"a"')
    assert "did you mean 'commanded'" in unknown.err
    assert "it starts when a version that has it is deployed" in unknown.err


def test_what_fails_says_where_and_what_runs_still(shop: Near, tmp_path: Path) -> None:
    first = shop.json("deploy", "--prod")["version"]
    change(tmp_path, "import flow_nowhere\n")
    failed = shop.detent("deploy", "--prod")
    assert (failed.status, failed.out) == (1, "")
    assert "error: check failed: " in failed.err
    assert "flow_nowhere" in failed.err
    assert f"prod still runs {first}" in failed.err
    told = shop.json("deploy", "--prod")
    assert (told["error"]["step"], told["current"], told["deployment"]["status"]) == ("check", first, "FAILED")
    listed = shop.json("deploys", "list", "--prod", "--status", "failed")
    assert [each["status"] for each in listed["items"]] == ["FAILED", "FAILED"]
    ended = shop.detent("deploys", "cancel", "latest", "--prod")
    assert (ended.status, "had ended before: it is FAILED" in ended.err) == (0, True)


def test_a_package_that_cannot_be_found_fails_with_what_the_resolver_says(
    shop: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "index").mkdir()
    for name in ("UV_NO_INDEX", "PIP_NO_INDEX", "UV_OFFLINE"):
        monkeypatch.setenv(name, "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path / "index"))
    write(tmp_path, {"requirements.txt": "flow-nowhere==1.2.3\n"})
    failed = shop.detent("deploy", "--env", "staging")
    assert failed.status == 1
    assert "flow-nowhere==1.2.3" in failed.err
    assert "nothing was deployed to staging yet" in failed.err


def test_a_trial_shows_everything_and_sends_nothing(
    shop: Near, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a server that cannot be reached
    monkeypatch.setenv("DETENT_API_URL", "http://127.0.0.1:9")
    trial = shop.json("deploy", "--dry-run")
    assert trial["ok"]
    assert [file["name"] for file in trial["files"]] == ["detent.toml", "tasks/a.py"]
    assert ([each["id"] for each in trial["tasks"]], trial["problems"]) == (["commanded"], [])
    assert {"hash", "bytes", "left_out", "lock", "git", "queues", "schedules", "python", "detent"} <= set(trial)
    shown = shop.detent("deploy", "--dry-run")
    assert all(part in shown.out for part in (trial["hash"], "tasks/a.py", "commanded  tasks/a.py:4"))
    assert "Nothing was sent" in shown.err
    # When something is wrong, then it is named by file and line, beside what is right
    change(tmp_path, "import flow_nowhere\n")
    wrong = shop.json("deploy", "--dry-run", "--prod")
    assert not wrong["ok"]
    assert [(each["file"], each["line"]) for each in wrong["problems"]] == [("tasks/a.py", 8)]
    assert len(wrong["files"]) == 2
    assert shop.detent("deploy", "--dry-run").status == 1


def test_variables_of_a_file_are_set_and_only_named(shop: Near, tmp_path: Path) -> None:
    write(tmp_path, {".env": 'TOKEN="5ecret-5ecret"\nDETENT_SECRET_KEY=dt_x\n', ".detentignore": ".env*\n"})
    done = shop.detent("deploy", "--prod", "--sync-env")
    assert done.status == 0, done.err
    assert "variables set: TOKEN" in done.err
    assert "settings of detent itself: DETENT_SECRET_KEY" in done.err
    assert "5ecret" not in done.out + done.err
    assert [each["name"] for each in shop.json("--env", "prod", "env", "list")["items"]] == ["TOKEN"]
    missing = shop.detent("deploy", "--prod", "--sync-env", "nowhere.env")
    assert (missing.status, "nowhere.env cannot be read" in missing.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("deploy",), "detent deploy --env ENVIRONMENT, with one of staging, prod, preview"),
        (("promote", "20261122.1"), "detent promote 20261122.1 --env ENVIRONMENT"),
        (("rollback",), "detent rollback --env ENVIRONMENT"),
        (("deploy", "--env", "dev"), "`detent dev`"),
        (("deploy", "--env", "preview"), "--branch BRANCH"),
        (("deploy", "--env", "prod", "--branch", "x"), "--branch is for previews"),
        (("deploy", "--prod", "--env", "staging"), "name two environments"),
        (("deploy", "--prod", "--timeout", "soon"), "timeout"),
    ],
)
def test_misuse_is_told_before_anything_is_done(shop: Near, arguments: tuple[str, ...], told: str) -> None:
    said = shop.detent(*arguments)
    assert (said.status, said.out, told in said.err) == (2, "", True), said.err


def test_names_that_are_not_there_are_answered_with_near_ones(shop: Near) -> None:
    version = shop.json("deploy", "--prod")["version"]
    assert f"did you mean '{version}'" in shop.detent("promote", f"{version}0", "--prod").err
    said = shop.detent("deploy", "--env", "prdo")
    assert (said.status, "did you mean 'prod'" in said.err) == (1, True)


def test_the_first_deployment_makes_the_preview_of_a_branch(shop: Near) -> None:
    made = shop.detent("deploy", "--env", "preview", "--branch", "feat/näher")
    assert made.status == 0, made.err
    assert made.out.startswith("preview/feat/näher runs 2")
    assert "preview/feat/näher is new" in made.err
    again = shop.detent("deploy", "--env", "preview/feat/näher", "--force")
    assert (again.status, "is new" in again.err) == (0, False)
    listed = shop.json("deploys", "list", "-b", "feat/näher", "-e", "preview")["items"]
    assert [each["environment"] for each in listed] == ["preview/feat/näher"] * 2


def test_ctrl_c_cancels_a_deployment(shop: Near, tmp_path: Path, cache: Path) -> None:
    # Given a deployment that is stuck before it is built
    write(
        tmp_path, {"detent.toml": 'project = "near"\ndirs = ["tasks"]\n[deploy]\npre_build = "echo begun; sleep 60"\n'}
    )
    command = subprocess.Popen(
        [DETENT, "deploy", "--prod", "--build-logs", "full"],
        cwd=tmp_path,
        env=environment() | {"DETENT_CACHE_DIR": str(cache)},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert command.stderr is not None
    for line in command.stderr:
        if line.strip() == "begun":
            break
    # When it is interrupted, then it ends, and nothing was deployed
    command.send_signal(signal.SIGTERM)
    _, told = command.communicate(timeout=30)
    assert (command.returncode, told.strip()) == (130, "Canceled before anything was sent.")
    assert shop.json("deploys", "list", "--prod")["items"] == []
