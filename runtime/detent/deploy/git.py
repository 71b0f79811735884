"""What git knows of the files that are deployed."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from ..model.deployment_views import GitState

__all__ = ["git_state", "tracked_although_ignored"]

_TIMEOUT_S = 20.0
_MOST_CHARS = 200
#: Where continuous integration says which branch it checked out, since it often leaves none in the repository.
_BRANCH_VARIABLES = (
    "GITHUB_HEAD_REF", "GITHUB_REF_NAME", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_COMMIT_BRANCH",
    "CI_COMMIT_REF_NAME", "BITBUCKET_BRANCH", "CIRCLE_BRANCH", "BUILDKITE_BRANCH", "DRONE_SOURCE_BRANCH",
    "DRONE_BRANCH", "TRAVIS_PULL_REQUEST_BRANCH", "TRAVIS_BRANCH", "SEMAPHORE_GIT_WORKING_BRANCH",
    "SYSTEM_PULLREQUEST_SOURCEBRANCH",
    "BUILD_SOURCEBRANCHNAME", "APPVEYOR_REPO_BRANCH", "CHANGE_BRANCH", "BRANCH_NAME", "VERCEL_GIT_COMMIT_REF",
)  # fmt: skip


def git_state(root: Path) -> GitState | None:
    """The state of the repository that the folder `root` lies in; None outside of one, without git, and when git does
    not answer within 20 s. Nothing is asked of the user, and nothing is changed.

    `commit` is the whole hash, None in a repository without one; `branch` None where nobody knows it. `dirty`: files of
    the project itself are changed or new since the commit. `message` is its first line, `author` the name.
    """
    if ask_git(root, "rev-parse", "--is-inside-work-tree") != "true":
        return None
    last = ask_git(root, "log", "-1", "--no-show-signature", "--format=%H%x00%an%x00%s")
    commit, author, message = last.split("\0", 2) if last else (None, None, None)
    branch = ask_git(root, "symbolic-ref", "--quiet", "--short", "HEAD") or _branch_of_ci()
    changes = ask_git(root, "status", "--porcelain", "--untracked-files=normal", "--", ".")
    return GitState(commit=commit, branch=branch, dirty=bool(changes), message=_line(message), author=_line(author))


def tracked_although_ignored(root: Path) -> list[str]:
    """The files of the folder `root`, by name from there, that git keeps although an ignore file names them; none where
    there is no git."""
    listed = ask_git(root, "ls-files", "-z", "--cached", "--ignored", "--exclude-standard")
    return [name for name in (listed or "").split("\0") if name]


def ask_git(root: Path, *arguments: str) -> str | None:
    """What git says; None when it fails."""
    # A hook of git that deploys has these set, for another folder perhaps.
    environment = {name: value for name, value in os.environ.items() if name not in _PLACES}
    environment |= {"GIT_TERMINAL_PROMPT": "0", "GIT_OPTIONAL_LOCKS": "0", "GIT_PAGER": "cat", "LC_ALL": "C"}
    try:
        answer = subprocess.run(  # noqa: S603 - fixed words
            ["git", "--no-pager", *arguments],  # noqa: S607 - the git of the user
            cwd=root,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.decode(errors="replace").strip() if answer.returncode == 0 else None


_PLACES = frozenset(
    {
        "GIT_DIR",
        "GIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_COMMON_DIR",
        "GIT_PREFIX",
        "GIT_OBJECT_DIRECTORY",
        "GIT_NAMESPACE",
    }
)


def _branch_of_ci() -> str | None:
    if os.environ.get("GITHUB_REF_TYPE") == "tag":
        return None
    return next((value for name in _BRANCH_VARIABLES if (value := os.environ.get(name))), None)


def _line(text: str | None) -> str | None:
    """A text of one line that may be shown."""
    if text is None:
        return None
    kept = "".join(char if char.isprintable() else " " for char in text).strip()
    return kept if len(kept) <= _MOST_CHARS else f"{kept[: _MOST_CHARS - 1]}…"
