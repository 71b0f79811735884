"""Entries for one project alone, and files that an assistant cannot read."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from tests.clients.assistants import ASSISTANTS, Seat
from tests.clients.packages import surroundings
from tests.clients.results import Results

pytestmark = pytest.mark.clients


def install(seat: Seat, folder: Path, *options: str) -> str:
    """What `detent install-mcp` for Claude Code says in a folder."""
    done = subprocess.run(
        [seat.entry["command"], "install-mcp", "--client", "claude-code", "--yes", *options],
        cwd=folder,
        env=surroundings(seat.home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_scope_local_is_for_the_whole_project_and_no_other(
    had: Callable[[str], Path], tmp_path: Path, home: Path, results: Results
) -> None:
    """Given an entry for one project, made in a folder within it, when Claude Code lists its servers there, in that
    folder and in another project, then detent is connected in the first two alone."""
    had("claude")
    claude = replace(ASSISTANTS["claude"], settle=lambda _seat: None)
    roots = tmp_path / "one", tmp_path / "other"
    for root in roots:
        subprocess.run(["git", "init", "--quiet", root], check=True)
        (root / "detent.toml").touch()
    within = roots[0] / "src"
    within.mkdir()
    install(Seat(home, roots[0]), within, "--scope", "local")
    for folder, expected in ((roots[0], True), (within, True), (roots[1], False)):
        said = claude.run(Seat(home, folder), "mcp", "list").stdout
        assert (claude.connected in said) is expected, (folder, said)
    results.see("claude", "scope `local`", "connected in the project and the folders in it, not in another")


def test_comments_that_claude_cannot_read_are_told_at_install(
    had: Callable[[str], Path], tmp_path: Path, home: Path
) -> None:
    """Given a comment in the file, when detent is put into it, then it is told that Claude Code cannot read it, and so
    it is."""
    had("claude")
    (home / ".claude.json").write_text('{\n  // mine\n  "numStartups": 3\n}\n')
    seat = Seat(home, tmp_path)
    assert "Claude Code reads nothing of this file" in install(seat, tmp_path, "--scope", "user")
    done = replace(ASSISTANTS["claude"], settle=lambda _seat: None).run(seat, "mcp", "list")
    assert "Connected" not in done.stdout
    assert "corrupted" in done.stdout + done.stderr
