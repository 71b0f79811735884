from __future__ import annotations

import json
import os
import pty
import stat
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from detent.config import load_config
from detent.errors import ConfigError
from detent.scaffold import Choices, add_command, initialise, usual_choices

COMMAND = "import typer; from detent_cli.init import init; app = typer.Typer(); app.command()(init); app()"
DISCOVER = """\
from detent.config import load_config
from detent.worker.discovery import discover

found = discover(load_config())
print([task.id for task in found.tasks], [str(problem) for problem in found.problems])
"""

PYPROJECT = """\
# kept: this comment,   these spaces
[project]
name = "podcasts"   # and this one
dependencies = [ "httpx" ]

[tool.ruff]
line-length = 99
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "podcasts-api"
    folder.mkdir()
    return folder


def contents(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def actions(root: Path, choices: Choices | None = None) -> dict[str, str]:
    return {change.path.relative_to(root).as_posix(): change.action for change in initialise(root, choices)}


def command(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *arguments],
        cwd=root,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


class TestFiles:
    def test_an_empty_folder_becomes_a_project(self, root: Path) -> None:
        assert actions(root) == {
            "detent.toml": "created",
            "tasks/hello.py": "created",
            ".gitignore": "created",
        }

        assert (root / ".gitignore").read_text() == ".detent/\n"
        config = load_config(root, {})
        assert (config.root, config.project) == (root, "podcasts-api")
        assert config.dirs == (root / "tasks",)

    def test_a_folder_that_does_not_exist_is_made(self, tmp_path: Path) -> None:
        root = tmp_path / "new" / "project"
        initialise(root)
        assert load_config(root, {}).project == "project"

    def test_the_example_is_found_as_a_task(self, root: Path) -> None:
        initialise(root)

        said = subprocess.run([sys.executable, "-c", DISCOVER], cwd=root, capture_output=True, text=True, check=False)

        assert said.stdout == "['hello'] []\n", said.stderr

    @pytest.mark.parametrize("files", [{}, {"pyproject.toml": PYPROJECT}, {".gitignore": "dist/"}])
    def test_doing_it_again_changes_nothing(self, root: Path, files: dict[str, str]) -> None:
        for name, text in files.items():
            (root / name).write_text(text)
        initialise(root, Choices(project="x", tasks_dir="src/jobs"))
        before = contents(root)

        assert set(actions(root).values()) == {"kept"}
        assert contents(root) == before

    @pytest.mark.parametrize("end", ["\n", "\r\n"])
    @pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
    def test_every_byte_of_a_pyproject_is_kept(self, root: Path, end: str, start: bytes) -> None:
        file = root / "pyproject.toml"
        before = start + PYPROJECT.replace("\n", end).encode()
        file.write_bytes(before)
        file.chmod(0o640)

        assert actions(root)["pyproject.toml"] == "changed"

        after = file.read_bytes()
        added = '\n[tool.detent]\nproject = "podcasts"\ndirs = ["tasks"]\n'.replace("\n", end).encode()
        assert after == before + added
        assert stat.S_IMODE(file.stat().st_mode) == 0o640
        assert not (root / "detent.toml").exists()
        assert load_config(root, {}).project == "podcasts"

    def test_a_pyproject_without_a_last_newline_stays_valid(self, root: Path) -> None:
        (root / "pyproject.toml").write_text('[project]\nname = "x"')
        initialise(root)
        assert tomllib.loads((root / "pyproject.toml").read_text())["tool"]["detent"]["dirs"] == ["tasks"]

    def test_a_pyproject_that_cannot_take_a_table_is_left_alone(self, root: Path) -> None:
        (root / "pyproject.toml").write_text("tool = { ruff = { line-length = 99 } }\n")

        assert actions(root)["detent.toml"] == "created"
        assert (root / "pyproject.toml").read_text() == "tool = { ruff = { line-length = 99 } }\n"

    def test_settings_that_are_there_are_kept_and_followed(self, root: Path) -> None:
        (root / "detent.toml").write_text('project = "mine"\ndirs = ["jobs"]\n')

        assert actions(root) == {"detent.toml": "kept", "jobs/hello.py": "created", ".gitignore": "created"}
        assert usual_choices(root) == Choices(project="mine", tasks_dir="jobs")

    def test_a_file_of_the_examples_name_is_kept(self, root: Path) -> None:
        (root / "tasks").mkdir()
        (root / "tasks" / "hello.py").write_text("mine = 1\n")

        assert actions(root)["tasks/hello.py"] == "kept"
        assert (root / "tasks" / "hello.py").read_text() == "mine = 1\n"

    def test_a_folder_with_tasks_gets_no_example(self, root: Path) -> None:
        (root / "tasks").mkdir()
        (root / "tasks" / "mine.py").touch()

        assert actions(root)["tasks"] == "kept"
        assert not (root / "tasks" / "hello.py").exists()

    def test_no_example_is_written_when_none_is_wanted(self, root: Path) -> None:
        initialise(root, Choices(project="x", example=False))
        assert not (root / "tasks").exists()

    @pytest.mark.parametrize("entry", [".detent/", ".detent", "/.detent/", "  /.detent  "])
    def test_an_ignore_entry_that_is_there_is_enough(self, root: Path, entry: str) -> None:
        (root / ".gitignore").write_text(f"dist/\n{entry}\n")
        assert actions(root)[".gitignore"] == "kept"

    def test_the_ignore_entry_gets_a_line_of_its_own(self, root: Path) -> None:
        (root / ".gitignore").write_text("dist/")
        initialise(root)
        assert (root / ".gitignore").read_text() == "dist/\n.detent/\n"


class TestRefusals:
    def test_a_broken_pyproject_is_refused_before_anything_is_written(self, root: Path) -> None:
        (root / "pyproject.toml").write_text("[project\n")

        with pytest.raises(ConfigError, match=r"pyproject\.toml is not valid TOML.*line 1"):
            initialise(root)
        assert list(contents(root)) == ["pyproject.toml"]

    def test_a_file_in_the_place_of_the_project_is_refused(self, root: Path) -> None:
        (root / "file").touch()
        with pytest.raises(ConfigError, match="is a file; name a folder"):
            initialise(root / "file")

    @pytest.mark.parametrize("folder", ["../elsewhere", "/elsewhere"])
    def test_a_tasks_folder_outside_the_project_is_refused(self, root: Path, folder: str) -> None:
        with pytest.raises(ConfigError, match="outside the project"):
            initialise(root, Choices(project="x", tasks_dir=folder))
        assert contents(root) == {}

    def test_what_cannot_be_written_is_named(self, root: Path) -> None:
        (root / "tasks").write_text("in the way")
        with pytest.raises(ConfigError, match=r"tasks.* cannot be written: .*run detent init again"):
            initialise(root)


class TestDependency:
    @pytest.mark.parametrize(
        ("files", "expected"),
        [
            ({"pyproject.toml": "[project]\n", "uv.lock": ""}, "uv add detent"),
            ({"pyproject.toml": "[tool.uv]\n"}, "uv add detent"),
            ({"pyproject.toml": "[project]\n", "poetry.lock": ""}, "poetry add detent"),
            ({"pyproject.toml": "[tool.poetry]\n"}, "poetry add detent"),
            (
                {"requirements.txt": "httpx\n"},
                "echo detent >> requirements.txt && pip install -r requirements.txt",
            ),
            ({}, "pip install detent"),
            ({"pyproject.toml": '[project]\ndependencies = ["detent[tts]>=0.1"]\n'}, None),
            ({"pyproject.toml": '[tool.poetry.dependencies]\ndetent = "*"\n'}, None),
            ({"requirements.txt": "detent==0.1.0  # pinned\n"}, None),
            ({"pyproject.toml": "[tool.uv]\n", "requirements.txt": "detent-extras\n"}, "uv add detent"),
        ],
    )
    def test_the_projects_own_tool_adds_it_unless_it_is_there(
        self, root: Path, files: dict[str, str], expected: str | None
    ) -> None:
        for name, text in files.items():
            (root / name).write_text(text)
        assert add_command(root) == expected


class TestCommand:
    def test_without_a_terminal_it_says_so_and_writes_nothing(self, root: Path) -> None:
        said = command(root)

        assert said.returncode == 2
        assert "detent init --yes" in said.stderr
        assert contents(root) == {}

    def test_yes_takes_the_usual_answers_and_tells_what_comes_next(self, root: Path) -> None:
        (root / "poetry.lock").touch()

        said = command(root, "--yes")

        assert said.returncode == 0, said.stderr
        assert "created  detent.toml" in said.stdout
        assert said.stdout.endswith("Next:\n  poetry add detent\n  detent dev\n")

    def test_programs_get_json(self, root: Path) -> None:
        said = json.loads(command(root, "--yes", "--json", "inner").stdout)

        assert (said["root"], said["project"]) == (str(root / "inner"), "inner")
        assert [change["action"] for change in said["changes"]] == ["created"] * 3
        assert said["next"] == ["cd inner", "pip install detent", "detent dev"]

    def test_in_a_terminal_it_asks(self, root: Path) -> None:
        controller, terminal = pty.openpty()
        os.write(controller, b"radio\njobs\nn\nn\nn\n")

        said = subprocess.run(
            [sys.executable, "-c", COMMAND],
            cwd=root,
            stdin=terminal,
            stdout=terminal,
            timeout=30,
            check=False,
        )

        os.close(terminal)
        os.close(controller)
        assert said.returncode == 0
        assert (root / "detent.toml").read_text() == 'project = "radio"\ndirs = ["jobs"]\n'
        assert not (root / "jobs").exists()


class TestAssistants:
    @pytest.fixture
    def home(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        home = tmp_path / "home"
        home.mkdir()
        for name, value in {"HOME": str(home), "DETENT_STATE_DIR": str(tmp_path / "state")}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", str(home / "bin"))
        return home

    def test_flags_connect_and_teach_without_a_question(self, root: Path, home: Path) -> None:
        (home / ".cursor").mkdir()
        done = command(root, "--yes", "--mcp", "--skills", "--rules", "--json")
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["next"][-1] == "detent dev"
        assert "detent" in json.loads((home / ".cursor/mcp.json").read_text())["mcpServers"]
        assert (root / "AGENTS.md").exists()

    def test_in_a_terminal_one_question_is_asked_for_all_that_assistants_get(self, root: Path, home: Path) -> None:
        (home / ".cursor").mkdir()
        controller, terminal = pty.openpty()
        os.write(controller, b"radio\njobs\nn\ny\n1\ny\n")
        said = subprocess.run(
            [sys.executable, "-c", COMMAND, "--no-remote"],
            cwd=root,
            stdin=terminal,
            stdout=terminal,
            timeout=60,
            check=False,
        )
        os.close(terminal)
        os.close(controller)
        assert said.returncode == 0
        assert (home / ".cursor/mcp.json").exists()
        assert (root / "AGENTS.md").exists()

    def test_what_cannot_be_done_is_named_and_the_folder_is_a_project_all_the_same(
        self, root: Path, home: Path
    ) -> None:
        done = command(root, "--yes", "--mcp")
        assert done.returncode == 1
        assert "Not done: detent install-mcp: no assistant was found" in done.stderr
        assert done.stdout.rstrip().endswith("detent install-mcp")
        assert (root / "detent.toml").exists()
