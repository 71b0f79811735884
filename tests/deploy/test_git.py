from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.deploy.project import write

from detent.deploy import GitState, git_state
from detent.deploy.git import _BRANCH_VARIABLES


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GITHUB_REF_TYPE", *_BRANCH_VARIABLES):
        monkeypatch.delenv(name, raising=False)
    for name, value in {
        "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull, "GIT_AUTHOR_NAME": "Ada Lovelace",
        "GIT_AUTHOR_EMAIL": "ada@example.com", "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.com",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)


def git(root: Path, *arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = write(tmp_path / "repository", {"app/a.py": "1", "other/b.py": "1"})
    git(root, "init", "-q", "-b", "main")
    git(root, "add", ".")
    git(root, "commit", "-q", "-m", "First line\n\nmore of it")
    return root


def state(root: Path) -> GitState:
    found = git_state(root)
    assert found is not None
    return found


def test_a_clean_commit_is_told_whole(repository: Path) -> None:
    assert state(repository / "app") == GitState(
        commit=git(repository, "rev-parse", "HEAD"), branch="main", dirty=False, message="First line",
        author="Ada Lovelace",
    )  # fmt: skip


def test_changed_and_new_files_of_the_project_alone_make_it_dirty(repository: Path) -> None:
    write(repository, {"other/b.py": "2"})
    assert not state(repository / "app").dirty
    write(repository, {"app/new.py": ""})
    assert state(repository / "app").dirty
    (repository / "app/new.py").unlink()
    write(repository, {"app/a.py": "2"})
    assert state(repository / "app").dirty


def test_a_detached_head_has_the_branch_that_continuous_integration_names(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(repository, "checkout", "-q", "--detach")
    assert state(repository).branch is None

    monkeypatch.setenv("GITHUB_REF_NAME", "12/merge")
    monkeypatch.setenv("GITHUB_HEAD_REF", "feature-x")
    assert state(repository).branch == "feature-x"

    monkeypatch.setenv("GITHUB_REF_TYPE", "tag")
    assert state(repository).branch is None


def test_a_branch_that_is_checked_out_goes_before_what_continuous_integration_says(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_COMMIT_REF_NAME", "elsewhere")

    assert state(repository).branch == "main"


def test_a_repository_without_a_commit_is_one(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "-b", "main")
    write(tmp_path, {"a.py": ""})

    assert state(tmp_path) == GitState(commit=None, branch="main", dirty=True)


def test_outside_of_a_repository_there_is_nothing_to_tell(tmp_path: Path) -> None:
    assert git_state(tmp_path) is None


def test_without_git_there_is_nothing_to_tell(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(repository))

    assert git_state(repository) is None


def test_a_hook_of_another_repository_does_not_lead_away(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "-q", "--bare", "bare")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "bare"))
    monkeypatch.setenv("GIT_WORK_TREE", str(tmp_path))

    assert state(repository).message == "First line"


def test_a_message_that_would_confuse_a_terminal_is_shown_plainly(repository: Path) -> None:
    git(repository, "commit", "-q", "--allow-empty", "-m", "red \x1b[31m" + "x" * 400)

    message = state(repository).message
    assert message is not None
    assert message.startswith("red  [31mxxx")
    assert len(message) == 200
