"""`detent install-mcp` as people, scripts and assistants use it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from detent_cli.__main__ import run as command


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own, in a project of its own, with Cursor and Codex in it, and no program of an assistant."""
    folder = tmp_path / "home"
    (folder / ".cursor").mkdir(parents=True)
    (folder / ".codex").mkdir()
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.setenv("USERPROFILE", str(folder))
    monkeypatch.setenv("DETENT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for name in ("XDG_CONFIG_HOME", "CODEX_HOME", "COPILOT_HOME", "DETENT_PROJECT_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(project)
    return folder


def run(*arguments: str) -> int:
    return command(list(arguments))


def test_the_server_is_started_before_its_entry_is_written(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert run("install-mcp", "--client", "cursor", "--readonly", "--yes") == 0
    said = capfd.readouterr()
    assert "tools" in said.err
    entry = json.loads((home / ".cursor/mcp.json").read_text())["mcpServers"]["detent"]
    assert Path(entry["command"]).is_absolute()
    assert entry["args"][-2:] == ["mcp", "--readonly"]
    assert run("install-mcp", "--client", "cursor", "--readonly", "--check") == 0
    assert run("install-mcp", "--client", "cursor", "--check") == 1
    assert run("uninstall-mcp", "--yes") == 0
    assert not (home / ".cursor/mcp.json").exists()
    assert run("uninstall-mcp", "--yes") == 1


def test_a_server_that_does_not_start_is_not_written(
    home: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "executable", str(home / "bin/python"))
    (home / "bin").mkdir()
    program = home / "bin/detent"
    program.write_text("#!/bin/sh\necho it is broken >&2\nexit 3\n")
    program.chmod(0o755)
    assert run("install-mcp", "--client", "cursor", "--yes") == 1
    assert "it is broken" in capfd.readouterr().err
    assert not (home / ".cursor/mcp.json").exists()
    assert run("install-mcp", "--client", "cursor", "--yes", "--no-verify") == 0
    assert (home / ".cursor/mcp.json").exists()


def test_without_a_terminal_nobody_is_asked_and_nothing_is_done_silently(home: Path) -> None:
    for arguments in ((), ("--client", "cursor"), ("--scope", "user"), ("--all",)):
        done = subprocess.run(
            [sys.executable, "-m", "detent_cli", "install-mcp", "--no-verify", *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=dict(os.environ),
        )
        assert done.returncode == 2, arguments
        assert "--yes" in done.stderr, arguments
    assert not (home / ".cursor/mcp.json").exists()


def test_all_that_are_here_are_meant_and_one_without_the_scope_is_named(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (home / ".config/goose").mkdir(parents=True)
    assert run("install-mcp", "--all", "--scope", "project", "--yes", "--no-verify", "--json") == 0
    said = capfd.readouterr()
    changes = json.loads(said.out)["changes"]
    assert [change["client"] for change in changes] == ["cursor", "codex"]
    assert {change["entry"]["command"] for change in changes} == {"uvx"}
    assert "Goose has no scope project" in said.err


def test_a_project_with_a_lock_of_uv_starts_its_own_detent(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    Path("uv.lock").write_text("version = 1\n")
    assert run("install-mcp", "--client", "claude-code", "--scope", "project", "--dry-run", "--json") == 0
    [change] = json.loads(capfd.readouterr().out)["changes"]
    assert change["entry"] == {"type": "stdio", "command": "uv", "args": ["run", "detent", "mcp"]}
    assert not Path(".mcp.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--client", "cursr"], "did you mean 'cursor'"),
        (["--client", "zed", "--scope", "local"], "it has: user, project"),
        (["--client", "cursor", "--scope", "everywhere"], "user, project, local"),
    ],
)
def test_what_there_is_not_is_named_with_what_there_is(
    home: Path, arguments: list[str], told: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run("install-mcp", *arguments, "--yes", "--no-verify") in (1, 2)
    assert told in capfd.readouterr().err


def test_doctor_looks_at_entries(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / ".cursor/mcp.json").write_text('{"mcpServers": {"detent": {"command": "/gone/detent", "args": ["mcp"]}}}')
    (home / ".codex/config.toml").write_text(
        '[mcp_servers.detent]\ncommand = "sh"\nargs = ["--from", "detent==0.0.1", "detent", "mcp"]\n'
    )
    run("doctor", "--json")
    checks = json.loads(capfd.readouterr().out)["checks"]
    found = {check["status"]: check for check in checks if check["check"] == "assistants.entry"}
    assert "/gone/detent, which is not there" in found["failed"]["message"]
    assert "detent 0.0.1" in found["warning"]["message"]
    assert found["failed"]["advice"] == "detent install-mcp --client cursor --scope user --yes"


def test_a_file_of_two_assistants_names_both_and_their_entry_goes_with_it(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shared = ["--client", "claude-code,copilot-cli", "--scope", "project", "--yes"]
    assert run("install-mcp", *shared, "--no-verify") == 0
    assert "read there by Copilot CLI, too" in capfd.readouterr().out
    Path(".mcp.json").write_text(Path(".mcp.json").read_text().replace("detent==", "detent==0."))
    assert run("install-mcp", *shared, "--check") == 1
    assert run("install-mcp", *shared, "--no-verify") == 0
    assert run("uninstall-mcp", *shared) == 0
    assert not Path(".mcp.json").exists()


def test_within_a_project_its_folder_is_written_to(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Path.cwd()
    (project / "detent.toml").touch()
    (project / "src").mkdir()
    monkeypatch.chdir("src")
    assert run("install-mcp", "--client", "cursor", "--scope", "project", "--yes", "--no-verify") == 0
    assert (project / ".cursor/mcp.json").exists()
    assert run("uninstall-mcp", "--yes") == 0


def test_comments_that_an_assistant_cannot_read_are_told(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (home / ".claude.json").write_text('{\n  // mine\n  "a": 1\n}\n')
    for _ in range(2):
        assert run("install-mcp", "--client", "claude-code", "--yes", "--no-verify") == 0
        assert "the first is in line 2" in capfd.readouterr().out
    run("doctor", "--json")
    told = [check for check in json.loads(capfd.readouterr().out)["checks"] if check["check"] == "assistants.file"]
    assert "line 2" in told[0]["message"]


def test_what_is_kept_of_files_nobody_else_may_read(home: Path, tmp_path: Path) -> None:
    (home / ".claude.json").write_text('{"key": "secret"}')
    assert run("install-mcp", "--client", "claude-code", "--yes", "--no-verify") == 0
    kept = [path for path in tmp_path.rglob("*") if path.name == "assistants.json" or path.parent.name == "backups"]
    assert len(kept) == 2
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


@pytest.mark.parametrize(
    ("files", "program"),
    [
        ({"uv.lock": '[[package]]\nname = "httpx"\n'}, "uvx"),
        ({"uv.lock": '[[package]]\nname = "detent"\n'}, "uv"),
        ({"pyproject.toml": '[dependency-groups]\ndev = ["detent>=0.1"]\n'}, "uv"),
        ({"pyproject.toml": '[project]\ndependencies = ["detention"]\n'}, "uvx"),
    ],
)
def test_a_project_starts_its_own_detent_where_it_has_one(
    home: Path, files: dict[str, str], program: str, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, text in files.items():
        Path(name).write_text(text)
    assert run("install-mcp", "--client", "cursor", "--scope", "project", "--dry-run", "--json") == 0
    [change] = json.loads(capfd.readouterr().out)["changes"]
    assert change["entry"]["command"] == program
