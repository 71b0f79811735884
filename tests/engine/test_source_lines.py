from __future__ import annotations

import os
from pathlib import Path

import pytest

from detent.engine.source_lines import FILE_BYTES, SourceFiles

CODE = "".join(f"line_{number} = {number}\n" for number in range(1, 11))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "tasks").mkdir(parents=True)
    (root / "tasks" / "shop.py").write_text(CODE)
    return root


def at(path: Path) -> int:
    return path.stat().st_mtime_ns // 1_000_000


def test_the_lines_around_the_one_that_was_reached_are_shown(root: Path) -> None:
    file = root / "tasks" / "shop.py"
    excerpt = SourceFiles(root).excerpt(str(file), 6, "line_6 = 6", at(file) + 1)
    assert (excerpt.state, excerpt.first) == ("same", 2)
    assert excerpt.lines == tuple(f"line_{number} = {number}" for number in range(2, 9))


def test_a_file_that_was_written_since_may_have_changed(root: Path) -> None:
    file = root / "tasks" / "shop.py"
    assert SourceFiles(root).excerpt(str(file), 6, "line_6 = 6", at(file) - 1).state == "may_have_changed"
    assert SourceFiles(root).excerpt(str(file), 6, "", at(file) + 1).state == "may_have_changed"


@pytest.mark.parametrize(("line", "code"), [(6, "other = 1"), (99, "line_6 = 6"), (0, "line_6 = 6")])
def test_a_line_that_reads_otherwise_now_is_not_shown(root: Path, line: int, code: str) -> None:
    excerpt = SourceFiles(root).excerpt(str(root / "tasks" / "shop.py"), line, code, None)
    assert (excerpt.state, excerpt.lines) == ("changed", ())


def test_a_folder_of_tasks_elsewhere_is_the_projects_too(root: Path, tmp_path: Path) -> None:
    file = tmp_path / "elsewhere" / "more.py"
    file.parent.mkdir()
    file.write_text(CODE)
    assert SourceFiles(root).excerpt(str(file), 1, "line_1 = 1", None).state == "not_read"
    assert SourceFiles(root, [file.parent]).excerpt(str(file), 1, "line_1 = 1", None).lines
    assert SourceFiles(root, [file]).excerpt(str(file), 1, "line_1 = 1", None).lines


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "{root}/../outside.py",
        "{root}/link.py",
        "{root}/linked/outside.py",
        "{root}/.env",
        "{root}/secrets.toml",
        "{root}/.hidden/code.py",
        "{root}/env/lib/code.py",
        "{root}/site-packages/code.py",
        "{root}/large.py",
        "{root}/folder.py",
        "{root}/pipe.py",
        "tasks/shop.py",
        "{root}/tasks/shop.py\0",
        "<string>",
        "",
    ],
)
def test_nothing_else_is_ever_read(root: Path, name: str) -> None:
    # Given files around the project, and in it, that are not its own Python source
    outside = root.parent / "outside.py"
    outside.write_text(CODE)
    (root / "link.py").symlink_to(outside)
    (root / "linked").symlink_to(root.parent)
    for place in (".env", "secrets.toml", ".hidden/code.py", "env/lib/code.py", "site-packages/code.py"):
        (root / place).parent.mkdir(parents=True, exist_ok=True)
        (root / place).write_text(CODE)
    (root / "env" / "pyvenv.cfg").touch()
    (root / "large.py").write_text(CODE + "#" * FILE_BYTES)
    (root / "folder.py").mkdir()
    os.mkfifo(root / "pipe.py")
    # When an error claims to come from them
    excerpt = SourceFiles(root).excerpt(name.format(root=root), 1, "line_1 = 1", None)
    # Then
    assert (excerpt.state, excerpt.lines) == ("not_read", ())


def test_a_file_that_is_gone_is_said_to_be(root: Path) -> None:
    assert SourceFiles(root).excerpt(str(root / "tasks" / "gone.py"), 1, "x", None).state == "missing"
