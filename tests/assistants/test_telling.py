"""Who is told that assistants know an older detent, and how often."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from detent.config import Config, load_config
from detent_cli.assistants.ledger import ledger_of
from detent_cli.assistants.telling import older_note


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    (tmp_path / "detent.toml").write_text('project = "shop"\n')
    for sign in ("CLAUDECODE", "CURSOR_AGENT", "AI_AGENT", "CODEX_SANDBOX", "GEMINI_CLI", "OPENCODE"):
        monkeypatch.delenv(sign, raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    ledger_of("project", tmp_path).keep(tmp_path / ".agents/skills/x/SKILL.md", "skill", "x", b"", "0.9.0")
    return load_config(tmp_path)


def test_a_person_is_told_once_for_each_version(config: Config) -> None:
    note = older_note(config, "0.10.0")
    assert note is not None
    assert "detent skills update" in note
    assert "install-rules" not in note
    assert older_note(config, "0.10.0") is None
    assert older_note(config, "0.11.0") is not None


def test_nobody_is_told_of_what_is_not_older(config: Config) -> None:
    assert older_note(config, "0.9.0") is None
    assert older_note(config, "0.8.0") is None


def test_assistants_and_programs_are_not_told(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    assert older_note(config, "0.10.0") is None
    monkeypatch.delenv("CLAUDECODE")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert older_note(config, "0.10.0") is None
