from __future__ import annotations

import sys
from pathlib import Path

import pytest
from tests.deploy.project import write

from detent.deploy import lock_of
from detent.deploy.pinned import marker_environment, of_poetry, of_uv
from detent.deploy.requirement_files import read_requirements
from detent.errors import DeployError

PYPROJECT = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["aa"]\n'

UV_LOCK = """version = 1
requires-python = ">=3.11"

[[package]]
name = "app"
version = "1"
source = { virtual = "." }
dependencies = [
    { name = "aa", extra = ["fast"] },
    { name = "only-windows", marker = "sys_platform == 'win32'" },
]

[package.optional-dependencies]
gpu = [{ name = "cc" }]

[[package]]
name = "aa"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files/aa.whl", hash = "sha256:aaaa" }]

[package.optional-dependencies]
fast = [{ name = "bb", version = "2.0", source = { registry = "https://pypi.org/simple" } }]

[[package]]
name = "bb"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
wheels = [{ url = "https://files/bb1.whl", hash = "sha256:b1" }]

[[package]]
name = "bb"
version = "2.0"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files/bb2.tar.gz", hash = "sha256:b2" }

[[package]]
name = "cc"
version = "3.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "only-windows"
version = "1.0"
source = { registry = "https://pypi.org/simple" }
"""

POETRY_LOCK = """[[package]]
name = "aa"
version = "1.0"
optional = false
python-versions = ">=3.9"
groups = ["main"]
files = [{ file = "aa.whl", hash = "sha256:aaaa" }]

[package.dependencies]
bb = ">=1"

[[package]]
name = "bb"
version = "1.0"
optional = false
python-versions = ">=3.9"
groups = ["main", "dev"]
markers = { main = "python_version >= '3.11'", dev = "python_version < '3'" }
files = [{ file = "bb.whl", hash = "sha256:bbbb" }]

[[package]]
name = "pytest"
version = "9.0"
optional = false
python-versions = ">=3.9"
groups = ["dev"]
files = []
"""

HERE = marker_environment("3.11.7")


@pytest.mark.parametrize(
    ("files", "kind", "name"),
    [
        ({"pyproject.toml": PYPROJECT, "uv.lock": UV_LOCK, "requirements.txt": "aa\n"}, "uv", "uv.lock"),
        ({"pyproject.toml": PYPROJECT, "poetry.lock": POETRY_LOCK}, "poetry", "poetry.lock"),
        ({"pyproject.toml": PYPROJECT, "requirements.txt": "aa\n"}, "requirements", "requirements.txt"),
        ({"pyproject.toml": PYPROJECT}, "pyproject", "pyproject.toml"),
        ({"pyproject.toml": "[tool.detent]\n"}, "none", None),
        ({}, "none", None),
    ],
)
def test_the_most_exact_file_of_a_project_decides(
    files: dict[str, str], kind: str, name: str | None, tmp_path: Path
) -> None:
    lock = lock_of(write(tmp_path, files))

    assert (lock.kind, lock.file.name if lock.file else None) == (kind, name)


def test_the_hash_changes_with_the_lock_and_not_with_the_code(tmp_path: Path) -> None:
    project = write(tmp_path, {"pyproject.toml": PYPROJECT, "uv.lock": UV_LOCK})
    before = lock_of(project).hash

    write(project, {"tasks/new.py": "x = 1\n", "uv.lock": UV_LOCK.replace("\n", "\r\n")})
    same = lock_of(project).hash
    write(project, {"uv.lock": UV_LOCK + "\n# another\n"})

    assert same == before
    assert lock_of(project).hash != before


def test_an_included_file_of_requirements_counts(tmp_path: Path) -> None:
    project = write(tmp_path, {"requirements.txt": "-r more/base.txt\n", "more/base.txt": "aa==1\n"})
    before = lock_of(project).hash

    write(project, {"more/base.txt": "aa==2\n"})

    assert lock_of(project).hash != before


def test_a_package_of_the_project_that_is_installed_counts_with_its_files(tmp_path: Path) -> None:
    project = write(tmp_path, {"requirements.txt": "-e ./libs/one\n", "libs/one/one.py": "x = 1\n"})
    before = lock_of(project).hash

    write(project, {"libs/one/one.py": "x = 2\n"})

    assert lock_of(project).hash != before


def test_requirements_are_read_with_all_that_they_include(tmp_path: Path) -> None:
    text = (
        "# ours\n-r base.txt  # shared\n-c limits.txt\n-e .[fast]\n--editable ./libs/one\n"
        "aa==1 \\\n    --hash=sha256:11 \\\n    --hash=sha256:22\nbb @ https://host/bb.whl#sha256=33\n"
    )
    files = {"requirements.txt": text, "base.txt": "--find-links ./wheels\ncc>=2 ; python_version > '3'\n"}
    write(tmp_path, {**files, "limits.txt": "cc<3\n"})

    found = read_requirements(tmp_path)

    assert found.lines == [
        "--find-links ./wheels",
        "cc>=2 ; python_version > '3'",
        "./libs/one",
        "aa==1 --hash=sha256:11 --hash=sha256:22",
        "bb @ https://host/bb.whl#sha256=33",
    ]
    assert found.constraints == ["cc<3"]
    assert (found.includes_project, found.project_extras) == (True, ["fast"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aa\n-r gone.txt\n", "requirements.txt:2: it includes gone.txt, which is not there"),
        ("-r ../outside.txt\n", "requirements.txt:1: it includes ../outside.txt, which is not in the project's folder"),
        ("-r requirements.txt\n", "requirements.txt includes itself; remove one of the -r lines"),
    ],
)
def test_an_include_that_cannot_be_followed_is_named_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": text})

    with pytest.raises(DeployError) as refused:
        lock_of(tmp_path)

    assert str(refused.value) == message


def test_a_lock_that_is_no_toml_is_refused_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT, "uv.lock": "version = \n<<<<<<< HEAD\n"})

    with pytest.raises(DeployError, match=r"uv\.lock is no TOML: .*line 1"):
        lock_of(tmp_path)


def test_uv_lock_is_followed_through_extras_markers_and_forks(tmp_path: Path) -> None:
    write(tmp_path, {"uv.lock": UV_LOCK})

    found = of_uv(tmp_path / "uv.lock", HERE)

    windows = [] if sys.platform != "win32" else ["only-windows==1.0"]
    assert found == ["aa==1.0 --hash=sha256:aaaa", "bb==2.0 --hash=sha256:b2", *windows]


def test_poetry_lock_gives_the_main_group_alone(tmp_path: Path) -> None:
    write(tmp_path, {"poetry.lock": POETRY_LOCK})

    found = of_poetry(tmp_path / "poetry.lock", {}, HERE)

    assert found == ["aa==1.0 --hash=sha256:aaaa", "bb==1.0 --hash=sha256:bbbb"]


def test_a_poetry_lock_without_groups_is_walked_from_the_project(tmp_path: Path) -> None:
    old = "\n".join(line for line in POETRY_LOCK.splitlines() if not line.startswith(("groups", "markers")))
    write(tmp_path, {"poetry.lock": old})
    project = {"tool": {"poetry": {"dependencies": {"python": "^3.11", "aa": {"version": "*"}}}}}

    found = of_poetry(tmp_path / "poetry.lock", project, HERE)

    assert [line.split()[0] for line in found] == ["aa==1.0", "bb==1.0"]
