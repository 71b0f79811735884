"""`detent skills`: copied or linked where assistants look, brought up to date, and out again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detent_cli.__main__ import run
from detent_cli.assistants import skill_files

TEXT = "---\nname: {name}\ndescription: {name} and when\n---\n\n# {name}\n"


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Skills of a version of their own, and a project beside them."""
    shelf = tmp_path / "shelf"
    for name in ("one", "two"):
        (shelf / name / "references").mkdir(parents=True)
        (shelf / name / "SKILL.md").write_text(TEXT.format(name=name))
        (shelf / name / "references/more.md").write_text("more\n")
    monkeypatch.setattr(skill_files, "shipped", lambda _folder: shelf)
    skill_files.skills.cache_clear()
    project = tmp_path / "project"
    project.mkdir()
    (project / "detent.toml").write_text('project = "shop"\n')
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(project))
    monkeypatch.chdir(project)
    return shelf


@pytest.fixture(autouse=True)
def clean_cache() -> object:
    yield
    skill_files.skills.cache_clear()


def files(folder: str) -> dict[str, str]:
    root = Path(folder)
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_skills_are_copied_whole_and_go_without_a_trace(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "add"]) == 0
    assert files(".agents/skills") == files(".claude/skills") == files(str(shelf))
    assert run(["skills", "check"]) == 0
    capsys.readouterr()
    assert run(["skills", "add", "--json"]) == 0
    assert {each["action"] for each in json.loads(capsys.readouterr().out)["files"]} == {"kept"}
    assert run(["skills", "remove"]) == 0
    assert not Path(".agents").exists()
    assert not Path(".claude").exists()
    assert run(["skills", "remove"]) == 1


def test_an_update_writes_what_is_newer_removes_what_is_gone_and_leaves_what_was_changed(
    shelf: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["skills", "add", "one"]) == 0
    (shelf / "one/SKILL.md").write_text(TEXT.format(name="one") + "newer\n")
    (shelf / "one/references/more.md").unlink()
    (shelf / "one/references/other.md").write_text("other\n")
    Path(".claude/skills/one/SKILL.md").write_text("mine\n")
    skill_files.skills.cache_clear()
    assert run(["skills", "check"]) == 1
    assert run(["skills", "update"]) == 0
    assert "changed by hand" in capsys.readouterr().err
    assert Path(".claude/skills/one/SKILL.md").read_text() == "mine\n"
    assert files(".agents/skills/one") == files(str(shelf / "one"))
    assert not Path(".claude/skills/one/references/more.md").exists()
    assert run(["skills", "update", "--force"]) == 0
    assert files(".claude/skills/one") == files(str(shelf / "one"))
    assert run(["skills", "check"]) == 0


def test_links_follow_the_installation(shelf: Path) -> None:
    assert run(["skills", "add", "one", "--link", "--target", "agents"]) == 0
    link = Path(".agents/skills/one/SKILL.md")
    assert link.is_symlink()
    (shelf / "one/SKILL.md").write_text("newer\n")
    assert link.read_text() == "newer\n"
    assert run(["skills", "remove", "one", "--target", "agents"]) == 0
    assert not Path(".agents").exists()
    assert (shelf / "one/SKILL.md").exists()


def test_skills_for_a_user_go_home_and_the_record_into_the_users_state(
    shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setenv("DETENT_STATE_DIR", str(tmp_path / "state"))
    assert run(["skills", "add", "one", "--scope", "user", "--target", "claude-code"]) == 0
    assert (tmp_path / "home/.claude/skills/one/SKILL.md").is_file()
    assert (tmp_path / "state/agents.lock.json").is_file()
    assert not (tmp_path / "home/.detent").exists()


def test_names_that_are_none_are_told_with_near_ones(shelf: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["skills", "add", "tow"]) == 1
    assert "did you mean 'two'" in capsys.readouterr().err
    assert run(["skills", "add", "--target", "claude"]) == 2
    assert "did you mean 'claude-code'" in capsys.readouterr().err
    assert run(["skills", "check"]) == 1
