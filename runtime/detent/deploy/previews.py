"""Which branch a preview is of, and which previews are of branches that are gone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from ..errors import ConfigError, DetentError, InvalidOptions
from ..model.branches import branch_in, check_branch
from .git import ask_git, git_state

__all__ = ["branch_to_preview", "gone_branches", "preview_branch"]

#: What is taken for the main branch where the repository does not say.
_USUAL = ("main", "master")


def preview_branch(environment: str | None, branch: str | None, root: Path) -> str | None:
    """The branch that a deployment is a preview of; None where `environment` is no preview.

    Parameters:
      environment: as it was given, ``preview`` or ``preview/BRANCH``. `branch`: as it was given beside it.
      root: the project's folder, whose checkout says the branch where neither does.

    Errors: `InvalidOptions` for a branch beside another environment, or two that differ, and as `branch_to_preview`.
    """
    named = branch_in(environment or "")
    if environment != "preview" and named is None:
        if branch is not None:
            raise InvalidOptions(
                f"--branch is for previews, and the environment is {environment or 'dev'}; say --env preview with it"
            )
        return None
    if named is None:
        return branch_to_preview(root, branch)
    if branch is not None and check_branch(branch) != check_branch(named):
        raise InvalidOptions(f"--env names the branch {named!r}, and --branch {branch!r}; leave one of them out")
    return check_branch(named)


def branch_to_preview(root: Path, given: str | None = None) -> str:
    """The branch whose preview is meant: `given`, else the one that is checked out in `root`.

    Errors: `InvalidOptions` for a name that is none, a detached HEAD, a folder outside of a repository, and for the
    default branch unless it is given by name.
    """
    if given is not None:
        return check_branch(given)
    state = git_state(root)
    if state is None:
        raise InvalidOptions(
            f"{root} is in no git repository that could say the branch; name it: --env preview --branch BRANCH"
        )
    if state.branch is None:
        raise InvalidOptions(
            "no branch is checked out here (the HEAD is detached), so none can be taken; "
            "name it: --env preview --branch BRANCH"
        )
    usual = _default_branch(root)
    if state.branch == usual or (usual is None and state.branch in _USUAL):
        raise InvalidOptions(
            f"{state.branch} is the default branch, which is deployed to staging or prod; check out another branch, "
            f"or mean it: --branch {state.branch}"
        )
    return check_branch(state.branch)


def gone_branches(root: Path, branches: Iterable[str]) -> list[str]:
    """Those of `branches` that exist neither in the repository of `root` nor at its remotes, which are asked.

    Errors: `InvalidOptions` outside of a repository; `ConfigError` where a remote does not answer, so that nobody
    takes a branch for gone that cannot be seen.
    """
    local = ask_git(root, "for-each-ref", "--format=%(refname:lstrip=2)", "refs/heads")
    if local is None:
        raise InvalidOptions(f"{root} is in no git repository that could say which branches are gone")
    there = _names(local.splitlines())
    for remote in (ask_git(root, "remote") or "").split():
        heads = ask_git(root, "ls-remote", "--heads", remote)
        if heads is None:
            raise ConfigError(
                f"the remote {remote!r} does not answer, so nobody knows which branches it has; "
                "see to `git ls-remote` first, or name a branch: --branch BRANCH"
            )
        there |= _names(line.partition("\trefs/heads/")[2] for line in heads.splitlines())
    return [branch for branch in branches if branch not in there]


def _names(lines: Iterable[str]) -> set[str]:
    found = set()
    for line in lines:
        try:
            found.add(check_branch(line))
        except DetentError:
            # No environment has such a name.
            continue
    return found


def _default_branch(root: Path) -> str | None:
    """The branch that the remote has checked out; None where nobody knows."""
    head = ask_git(root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD")
    if head is not None and "/" in head:
        return head.partition("/")[2]
    return os.environ.get("CI_DEFAULT_BRANCH") or None
