"""Names of branches, and of the preview environments that are made for them."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from ..errors import InvalidOptions

__all__ = ["ARCHIVED", "BRANCH_CHARS", "PREVIEW", "branch_in", "check_branch", "preview_name"]

#: The kind of the environments of branches, and the name of the one that holds what they share.
PREVIEW = "preview"
#: What is said of an environment that is archived, and told by.
ARCHIVED = "is archived"
#: Longest name of a branch, in characters. Longer ones git cannot keep either, on most file systems.
BRANCH_CHARS = 244

_HEADS = "refs/heads/"
#: What git refuses in the name of a branch, and how it is told.
_REFUSED = (
    (re.compile(r" "), "a space"),
    (re.compile(r"\.\."), "two dots in a row"),
    (re.compile(r"[~^:?*\[\\]"), "one of ~ ^ : ? * [ \\"),
    (re.compile(r"@\{"), "@{"),
    (re.compile(r"^/|//|/$"), "a slash at an end, or two in a row"),
    (re.compile(r"(?:^|/)\."), "a dot where a part begins"),
    (re.compile(r"\.lock(?:/|$)"), ".lock where a part ends"),
    (re.compile(r"\.$"), "a dot at its end"),
    (re.compile(r"^-"), "a dash where it begins"),
)


def check_branch(name: Any) -> str:
    """The name of a branch as environments have it: what git takes for one, in Unicode's composed form (NFC).

    Parameters:
      name: as git prints it, with slashes and whatever else git allows; ``refs/heads/`` in front is left out.

    Errors: `InvalidOptions` for what cannot be a branch of git.
    """
    if not isinstance(name, str) or not name.removeprefix(_HEADS):
        raise InvalidOptions(f"branch must be the name of a git branch, such as feature/login; got {name!r}")
    branch = unicodedata.normalize("NFC", name.removeprefix(_HEADS))
    if len(branch) > BRANCH_CHARS:
        raise InvalidOptions(
            f"the name of the branch has {len(branch)} characters; an environment's has at most {BRANCH_CHARS}. "
            "Name a shorter one with --branch"
        )
    fault = next((fault for pattern, fault in _REFUSED if pattern.search(branch)), None)
    if fault is None and not branch.isprintable():
        fault = "a character that cannot be seen"
    if fault is None and branch in ("@", "HEAD"):
        fault = "nothing but a word that git uses itself"
    if fault is not None:
        raise InvalidOptions(f"{name!r} is no name of a git branch: it has {fault}. Give it as `git branch` prints it")
    return branch


def preview_name(branch: str) -> str:
    """The name of the environment of a branch."""
    return f"{PREVIEW}/{branch}"


def branch_in(environment: str) -> str | None:
    """The branch that the name of an environment holds; None of one that is no preview, and of ``preview`` itself."""
    kind, _, branch = environment.partition("/")
    return branch if kind == PREVIEW and branch else None
