from __future__ import annotations

import os
import socket
import unicodedata
from pathlib import Path

import pytest
from tests.deploy.project import write

from detent.deploy import selection as module
from detent.deploy.selection import Selection, select_files


def names(selection: Selection) -> list[str]:
    assert not selection.problems, selection.problems
    return [file.name for file in selection.files]


def problems(selection: Selection) -> str:
    return "\n".join(str(problem) for problem in selection.problems)


def test_without_a_repository_ignore_files_count_all_the_same(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {".gitignore": "*.log\n!kept.log\n", "a.py": "", "b.log": "", "kept.log": "", "sub/.gitignore": "/x\n"}
        | {"sub/x": "", "sub/y/x": ""},
    )
    assert names(select_files(root)) == [".gitignore", "a.py", "kept.log", "sub/.gitignore", "sub/y/x"]


def test_a_project_below_the_top_of_its_repository_obeys_the_files_above(tmp_path: Path) -> None:
    write(tmp_path, {".gitignore": "*.tmp\n/apps/one/out\n", "apps/.gitignore": "cache\n", ".git/HEAD": ""})
    root = write(tmp_path / "apps/one", {"a.py": "", "x.tmp": "", "out/y": "", "cache/z": "", "sub/out/y": ""})

    assert names(select_files(root)) == ["a.py", "sub/out/y"]


def test_files_of_detentignore_go_before_those_of_git(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {".gitignore": "*.bin\n", ".detentignore": "notebooks/\n!model.bin\n", "model.bin": "", "other.bin": ""}
        | {"notebooks/a.ipynb": "", "tasks/.detentignore": "slow.py\n", "tasks/slow.py": "", "tasks/fast.py": ""},
    )
    assert names(select_files(root)) == [
        ".detentignore", ".gitignore", "model.bin", "tasks/.detentignore", "tasks/fast.py",
    ]  # fmt: skip


def test_version_control_environments_and_caches_are_never_in(tmp_path: Path) -> None:
    never = [
        ".git/HEAD", ".venv/x", "env3/pyvenv.cfg", "env3/lib/x.py", "a/__pycache__/b.pyc", ".detent/detent.db", "b.pyc",
        "node_modules/x/index.js", ".mypy_cache/x", ".DS_Store", "x.egg-info/PKG-INFO", "conda/conda-meta/h",
    ]  # fmt: skip
    root = write(tmp_path, dict.fromkeys([*never, "a/b.py", "environment/c.py"], ""))

    assert names(select_files(root)) == ["a/b.py", "environment/c.py"]


def test_what_says_which_packages_are_needed_is_in_even_when_it_is_ignored(tmp_path: Path) -> None:
    always = ["detent.toml", "poetry.lock", "pyproject.toml", "requirements-dev.txt", "requirements.txt", "uv.lock"]
    root = write(tmp_path, dict.fromkeys(always, "") | {".gitignore": "*\n", "sub/uv.lock": "", "a.py": ""})

    assert names(select_files(root, exclude=["*.toml"])) == always


def test_include_brings_in_what_is_ignored_and_exclude_goes_before_it(tmp_path: Path) -> None:
    root = write(
        tmp_path,
        {".gitignore": "data/\n*.onnx\n", "data/big.csv": "", "data/voices/a.wav": "", "data/voices/b.txt": ""}
        | {"data/voices/c.onnx": "", "models/m.onnx": "", "models/n.onnx": ""},
    )
    selection = select_files(root, include=["data/voices/", "/models/m.onnx"], exclude=["*.txt"])

    assert names(selection) == [".gitignore", "data/voices/a.wav", "data/voices/c.onnx", "models/m.onnx"]


def test_an_include_that_names_nothing_is_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {"a.py": ""})

    assert "include names 'modles/'" in problems(select_files(root, include=["modles/", "a.py"]))


def test_a_link_to_a_file_or_a_folder_of_the_project_is_followed(tmp_path: Path) -> None:
    root = write(tmp_path, {"real/a.py": "x", "real/skip.log": "", ".gitignore": "real/*.log\n", "b.sh": "xyz"})
    (root / "c.sh").symlink_to("b.sh")
    (root / "copy").symlink_to(root / "real")

    selection = select_files(root)

    assert names(selection) == [".gitignore", "b.sh", "c.sh", "copy/a.py", "real/a.py"]
    assert {file.name: file.target for file in selection.files}["c.sh"] == "b.sh"


def test_links_that_lead_elsewhere_are_refused_by_name(tmp_path: Path) -> None:
    write(tmp_path, {"outside/secret": "", "project/a.py": "", "project/.git/config": ""})
    root = tmp_path / "project"
    for name, aim in {
        "out": "../outside", "out.txt": "../outside/secret", "host": "/etc/hosts", "gone": "missing", "loop": "loop",
        "round": ".", "inner/up": "..", "config": ".git/config",
    }.items():  # fmt: skip
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).symlink_to(aim)

    found = problems(select_files(root))

    assert "out: it is a link to '../outside', which lies outside of the project; copy" in found
    assert "out.txt: it is a link to '../outside/secret', which lies outside" in found
    assert "host: it is a link to '/etc/hosts', which lies outside" in found
    assert "gone: it is a link to 'missing', which leads nowhere" in found
    assert "loop: it is a link to 'loop', which leads nowhere" in found
    assert "round: it is a link to '.', a folder that it lies in itself" in found
    assert "inner/up: it is a link to '..', a folder that it lies in itself" in found
    assert "config: it is a link to '.git/config', which no bundle holds" in found


def test_links_that_are_ignored_are_nobodys_business(tmp_path: Path) -> None:
    write(tmp_path, {"venv/pyvenv.cfg": ""})
    root = write(tmp_path / "project", {".gitignore": "out\n", "a.py": ""})
    (root / "out").symlink_to("/etc")
    (root / "environment").symlink_to("../venv")

    assert names(select_files(root)) == [".gitignore", "a.py"]


def test_two_links_that_lead_into_each_other_end(tmp_path: Path) -> None:
    root = write(tmp_path, {"a/x.py": "", "b/y.py": ""})
    (root / "a/to_b").symlink_to("../b")
    (root / "b/to_a").symlink_to("../a")

    found = problems(select_files(root))

    assert "a/to_b/to_a: it is a link to '../a', a folder that it lies in itself" in found


def test_sockets_and_pipes_are_left_out_and_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path, {"a.py": ""})
    os.mkfifo(root / "pipe")
    monkeypatch.chdir(root)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("app.sock")
        selection = select_files(root)

    assert names(selection) == ["a.py"]
    assert selection.notes == ["app.sock is a socket and is left out", "pipe is a pipe and is left out"]


def test_names_that_other_machines_cannot_make_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {"a:b": "", "back\\slash": "", "dot.": "", "aux.py": "", "new\nline": "", "good.py": ""})
    (root / os.fsdecode(b"latin\xe9.txt")).write_text("")

    found = problems(select_files(root))

    assert "a:b: its name has a colon" in found
    assert "backslash" in found
    assert "dot.: a part of its name ends with a dot" in found
    assert "aux.py: 'aux.py' is the name of a device on Windows; rename it" in found
    assert "new\\nline: its name has a control character" in found
    assert "latin\\udce9.txt: its name is not UTF-8" in found
    assert "good.py" not in found


def test_names_that_differ_in_case_or_accents_alone_are_refused(tmp_path: Path) -> None:
    root = write(tmp_path, {"Readme.md": "", "README.md": "", "lib/a.py": "", "Lib/b.py": ""})
    write(root, {unicodedata.normalize("NFC", "é.py"): "", unicodedata.normalize("NFD", "é.py"): ""})

    found = problems(select_files(root))

    assert "Readme.md: 'README.md' has the same name" in found
    assert "lib/a.py: 'Lib' has the same name" in found
    assert "é.py: 'é.py' has the same name" in found


def test_a_name_has_one_form_whatever_the_file_system_made_of_it(tmp_path: Path) -> None:
    root = write(tmp_path, {unicodedata.normalize("NFD", "é.py"): ""})

    assert names(select_files(root)) == [unicodedata.normalize("NFC", "é.py")]


def test_too_many_files_are_refused_with_the_folders_that_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_FILES", 10)
    root = write(tmp_path, {f"images/{number}.txt": "" for number in range(12)})

    assert "more than 10 files" in problems(select_files(root))
    assert "images (11)" in problems(select_files(root))
