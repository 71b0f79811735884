"""What a person sees in a real terminal who is asked which assistants are meant."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.clients.assistants import Seat
from tests.clients.packages import surroundings

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed"),
]

COLUMNS, LINES = 80, 24


class Terminal:
    """A terminal of 80 by 24 in which `detent` is a command."""

    def __init__(self, seat: Seat, socket: Path) -> None:
        self._tmux = ["tmux", "-S", str(socket)]
        path = f"{Path(seat.entry['command']).parent}:/usr/bin:/bin"
        size = ["-x", str(COLUMNS), "-y", str(LINES)]
        self._env = surroundings(seat.home, PATH=path, TERM="xterm-256color", LC_ALL="C.UTF-8")
        subprocess.run(
            [*self._tmux, "-f", "/dev/null", "new-session", "-d", *size, "-c", str(seat.root), "sh"],
            env=self._env,
            check=True,
        )

    def type(self, *keys: str) -> None:
        """Press keys; names of keys, as ``Enter`` and ``C-c``, stand for them."""
        subprocess.run([*self._tmux, "send-keys", *keys], env=self._env, check=True)

    def screen(self) -> str:
        """What is on it."""
        command = [*self._tmux, "capture-pane", "-p"]
        return subprocess.run(command, env=self._env, check=True, capture_output=True, text=True).stdout.rstrip()

    def shows(self, pattern: str) -> str:
        """The screen as soon as its end looks so."""
        until = time.monotonic() + 60
        while not re.search(rf"(?:{pattern})\s*\Z", screen := self.screen()):
            assert time.monotonic() < until, screen
            time.sleep(0.1)
        return screen

    def close(self) -> None:
        """End it and what runs in it."""
        subprocess.run([*self._tmux, "kill-server"], env=self._env, check=True)


@pytest.fixture
def seat(home: Path, tmp_path: Path) -> Seat:
    """A project, and a home with two assistants."""
    root = tmp_path / "project"
    root.mkdir()
    (root / "detent.toml").touch()
    for folder in (".claude", ".cursor"):
        (home / folder).mkdir()
    return Seat(home, root)


@pytest.fixture
def terminal(seat: Seat, tmp_path: Path) -> Iterator[Terminal]:
    """A terminal in the project."""
    made = Terminal(seat, tmp_path / "t")
    yield made
    made.close()


def test_which_assistants_is_asked_again_after_a_wrong_answer_and_ctrl_c_writes_nothing(
    terminal: Terminal, seat: Seat
) -> None:
    """Given two assistants, when a person answers wrongly, then rightly, and leaves at the last question, then nothing
    is written; when everything is answered by Enter, then all is."""
    which, last = r"Which\? Numbers with commas, or all \[all\]:", r"Write this\? \[Y/n\]:"
    terminal.type("clear; detent install-mcp", "Enter")
    assert " 1 Claude Code\n   2 Cursor\n" in terminal.shows(which)
    terminal.type("3, x", "Enter")
    assert "A number is from 1 to 2." in terminal.shows(rf"2\.\n{which}")
    terminal.type("2", "Enter")
    assert "Cursor (user): create" in terminal.shows(last)
    terminal.type("C-c")
    terminal.shows(r"Aborted!\n[#$%]")
    written = [seat.home / ".cursor/mcp.json", seat.home / ".claude.json"]
    assert not any(path.exists() for path in written)

    terminal.type("clear; detent install-mcp", "Enter")
    terminal.shows(which)
    terminal.type("Enter")
    terminal.shows(last)
    terminal.type("Enter")
    terminal.shows(r"(?s:Cursor \(user\): created.*)\n[#$%]")
    assert all(path.exists() for path in written)


def test_which_rules_is_asked_with_what_each_costs_and_ctrl_c_writes_nothing(terminal: Terminal, seat: Seat) -> None:
    """Given a project, when a person is asked for rules, then assistants are listed, then rule sets with their tokens;
    who leaves has written nothing."""
    which = r"Which\? Numbers with commas, or all \[[\d, ]+\]:"
    before = sorted(seat.root.rglob("*"))
    terminal.type("clear; detent install-rules", "Enter")
    assert "1   Claude Code" in terminal.shows(which)
    terminal.type("1", "Enter")
    assert re.search(r"1 basic +~ +\d+ ", terminal.shows(rf"(?s:agents.*){which}"))
    terminal.type("9", "Enter")
    terminal.shows(rf"A number is from 1 to 5\.\n{which}")
    terminal.type("C-c")
    terminal.shows(r"Aborted!\n[#$%]")
    assert sorted(seat.root.rglob("*")) == before

    terminal.type("clear; detent install-rules", "Enter")
    terminal.shows(which)
    terminal.type("1", "Enter")
    terminal.shows(rf"(?s:agents.*){which}")
    terminal.type("1,2", "Enter")
    terminal.shows(r"created +\.claude/rules/detent-advanced\.md\n[#$%]")
    assert len(list((seat.root / ".claude/rules").iterdir())) == 2
