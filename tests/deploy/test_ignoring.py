from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest
from tests.deploy.project import write

from detent.deploy.selection import select_files

TREE = [
    "a.txt", "b.log", "sp ace", "sub/a.txt", "sub/b.log", "sub/deep/a.txt", "sub/deep/c.py", "doc/a/b/c.txt",
    "doc/b.txt",
    "build/out.bin", "sub/build/out.bin", "x[1].py", "x1.py", "#hash", "!bang", "data/1.csv", "data/2.csv",
    "data/keep/3.csv",
    "abc", "abd", "a-b", "é.py", "star*", "back\\slash", ".hidden/file", "trail ", "A.TXT", "foo/bar/foo/bar",
]  # fmt: skip
PATTERNS = [
    "*.log", "/a.txt", "sub/", "build", "build/", "/build", "**/deep", "doc/**", "doc/**/c.txt", "**/b.txt",
    "a?c", "a[bc]c",
    "a[!b]d", "ab[a-d]", "[[:alpha:]]bc", "x[[]1].py", "x\\[1\\].py", "\\#hash", "\\!bang", "sp\\ ace", "data/*",
    "!data/keep",
    "!data/keep/3.csv", "!*.log", "# a comment", "", "   ", "star\\*", "back\\\\slash", "*", "!sub", "!*/",
    "foo/*/foo", "/*",
    "!/doc", "foo/**/bar", "*.t*t", "[", "a[", "[]-]", "trail\\ ", "deep/", "sub/*/a.txt", "**", "***", "**/",
    "a**t", "é*",
    ".hidden", "[z-a]*", "[^a]bc", "*/*/a.txt", "/doc/a", "!/doc/a/", "a\\", "[a-]-b", "[\\a]bc", "[[:nope:]]bc",
    "sub/deep/**",
]  # fmt: skip


def listed_by_git(root: Path) -> list[str]:
    environment = os.environ | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_SYSTEM": os.devnull}
    command = ["git", "-c", "core.quotepath=off", "ls-files", "-o", "-z", "--exclude-standard"]
    output = subprocess.run(command, cwd=root, env=environment, capture_output=True, check=True).stdout
    return sorted(os.fsdecode(output).split("\0")[:-1])


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = write(tmp_path / "repo", dict.fromkeys(TREE, "x"))
    subprocess.run(["git", "init", "-q"], cwd=root, check=True)
    return root


def selected(root: Path) -> list[str]:
    selection = select_files(root)
    refused = {problem.file for problem in selection.problems}
    names = [file.name for file in selection.files if file.name not in refused]
    return sorted(name for name in names if name != "A.TXT")


def usual(names: list[str]) -> list[str]:
    """Without the names that no bundle may hold."""
    return sorted(name for name in names if name not in ("back\\slash", "trail ", "a.txt", "A.TXT"))


@pytest.mark.parametrize("seed", range(40))
def test_patterns_mean_what_they_mean_to_git(repository: Path, seed: int) -> None:
    chance = random.Random(seed)
    for folder in ("", "sub", "doc", "data"):
        lines = chance.sample(PATTERNS, chance.randint(0, 5))
        (repository / folder / ".gitignore").write_text("\n".join(lines), encoding="utf-8")
    if seed % 2:
        (repository / ".git/info/exclude").write_text("\n".join(chance.sample(PATTERNS, 2)), encoding="utf-8")

    assert usual(selected(repository)) == usual(listed_by_git(repository))


@pytest.mark.parametrize("pattern", [pattern for pattern in PATTERNS if pattern.strip()])
def test_each_pattern_alone_means_what_it_means_to_git(repository: Path, pattern: str) -> None:
    (repository / ".gitignore").write_text(f"{pattern}\r\n", encoding="utf-8")

    assert usual(selected(repository)) == usual(listed_by_git(repository))
