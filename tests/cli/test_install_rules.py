"""`detent install-rules`: rules in the files of a project, brought up to date, and out again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from detent_cli.__main__ import run
from detent_cli.assistants.block import find_block, put_block, remove_block
from detent_cli.assistants.rules import OPTIONS, rule_targets


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "detent.toml").write_text('project = "shop"\ndirs = ["jobs", "more/one.py"]\n')
    monkeypatch.setenv("DETENT_PROJECT_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    files = json.loads(capsys.readouterr().out)["files"]
    return {each["path"]: each.get("action") or each["state"] for each in files}


def test_every_target_gets_its_files_with_the_globs_of_the_project_and_loses_them_again(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = {path for path in project.rglob("*") if path.is_file()}
    names = ",".join(target.id for target in rule_targets())
    assert run(["install-rules", "-t", names, "-o", "all", "--yes", "--json"]) == 0
    made = said(capsys)
    for target in rule_targets():
        if target.shared is not None:
            assert str(project / target.shared) in made
        if target.own is not None:
            for option in OPTIONS:
                text = (project / target.own.format(name=option)).read_text()
                assert "<!-- test:" not in text
                assert "{{" not in text
                if "{globs" in target.front:
                    assert "jobs/**/*.py" in text
                    assert "more/one.py" in text
    assert run(["install-rules", "-t", names, "-o", "all", "--yes", "--json"]) == 0
    assert set(said(capsys).values()) == {"kept"}
    assert run(["install-rules", "--check"]) == 0
    assert run(["install-rules", "uninstall"]) == 0
    left = {path for path in project.rglob("*") if path.is_file() and ".detent" not in path.parts}
    assert left == before


def test_what_the_project_is_by_now_is_an_update_and_what_was_changed_by_hand_stays(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["install-rules", "-t", "cursor,claude-code", "--yes"]) == 0
    (project / "detent.toml").write_text('project = "shop"\ndirs = ["other"]\n')
    changed = project / ".cursor/rules/detent-basic.mdc"
    changed.write_text(changed.read_text() + "and be kind\n")
    capsys.readouterr()
    assert run(["install-rules", "status", "--json"]) == 1
    assert said(capsys) == {
        str(project / "CLAUDE.md"): "outdated",
        str(project / ".claude/rules/detent-basic.md"): "outdated",
        str(changed): "changed",
    }
    assert run(["install-rules", "update"]) == 1
    assert "other/**/*.py" in (project / ".claude/rules/detent-basic.md").read_text()
    assert changed.read_text().endswith("and be kind\n")
    assert run(["install-rules", "update", "--force"]) == 0
    assert run(["install-rules", "--check"]) == 0


@pytest.mark.parametrize("text", ["", "# Mine\n", "# Mine", "a\r\n\r\nb\r\n", "# Mine\n\n\n"])
def test_a_block_comes_and_goes_and_the_rest_keeps_every_byte(text: str) -> None:
    once = put_block(text, "read the skills", "1", "CLAUDE.md")
    assert put_block(once, "read the skills", "1", "CLAUDE.md") == once
    assert once.startswith(text)
    newer = put_block(once, "read the newer skills", "2", "CLAUDE.md")
    assert newer.count("BEGIN detent") == 1
    assert remove_block(newer, "CLAUDE.md") == text
    below = newer + ("\r\n" if "\r\n" in text else "\n") + "below"
    assert remove_block(below, "CLAUDE.md").endswith("below")


def test_a_changed_block_is_told_from_one_as_it_was_written() -> None:
    text = put_block("", "read the skills", "1", "CLAUDE.md")
    assert find_block(text, "CLAUDE.md") == (0, len(text) - 1, "1", False)
    found = find_block(text.replace("read", "ignore"), "CLAUDE.md")
    assert found is not None
    assert found[3]


@pytest.mark.parametrize(
    "text", ["<!-- END detent -->", "<!-- BEGIN detent v1 sha256:0123456789abcdef -->\n", "<!-- BEGIN detent -->"]
)
def test_a_lone_mark_is_refused_and_nothing_is_written(
    project: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "CLAUDE.md").write_text(text)
    assert run(["install-rules", "-t", "claude-code", "--yes"]) == 1
    assert "CLAUDE.md has marks of detent" in capsys.readouterr().err
    assert (project / "CLAUDE.md").read_text() == text


def test_misuse_is_told_with_what_there_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["install-rules", "-t", "cursr", "--yes"]) == 2
    assert "did you mean 'cursor'" in capsys.readouterr().err
    assert run(["install-rules", "-t", "cursor", "-o", "basics", "--yes"]) == 2
    assert "did you mean 'basic'" in capsys.readouterr().err
    assert run(["install-rules", "-t", "cursor"]) == 2
    assert "--yes" in capsys.readouterr().err
    assert run(["install-rules", "--check"]) == 1


def test_tasks_and_queues_of_the_files_are_in_the_rules_though_nothing_ever_ran(project: Path) -> None:
    (project / "jobs").mkdir()
    (project / "jobs/shop.py").write_text(
        'from detent import queue, task\n\nllm = queue("llm", concurrency_limit=1)\n\n\n'
        '@task(id="charge", queue=llm)\nasync def charge(amount: int) -> int:\n    return amount\n'
    )
    (project / "jobs/broken.py").write_text("def (:\n")
    assert run(["install-rules", "-t", "claude-code", "--yes"]) == 0
    text = (project / ".claude/rules/detent-basic.md").read_text()
    assert "Known tasks: `charge`." in text
    assert "Queues: `llm`." in text
    assert run(["install-rules", "--check"]) == 0


@pytest.mark.parametrize("content", [None, "wörter".encode("utf-16")])
def test_a_file_that_cannot_be_read_is_named_before_anything_is_written(
    project: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / "CLAUDE.md"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    assert run(["install-rules", "-t", "cursor,agents-md,claude-code", "--yes"]) == 1
    assert str(path) in capsys.readouterr().err
    assert not (project / "AGENTS.md").exists()
    assert not (project / ".cursor").exists()


def test_a_block_that_was_changed_by_hand_is_taken_out_only_by_force(project: Path) -> None:
    assert run(["install-rules", "-t", "agents-md", "--yes"]) == 0
    path = project / "AGENTS.md"
    path.write_text(path.read_text().replace("## detent", "## detent and more"))
    assert run(["install-rules", "uninstall"]) == 1
    assert "and more" in path.read_text()
    assert run(["install-rules", "uninstall", "--force"]) == 0
    assert not path.exists()
