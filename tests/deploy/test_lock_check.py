from __future__ import annotations

from pathlib import Path

import pytest
from tests.deploy.project import write

from detent.deploy import check_lock, check_python
from detent.errors import DeployError

PYPROJECT = """[project]
name = "Lock.Me"
version = "0.1"
requires-python = ">=3.11,<4"
dependencies = [
    "httpx[http2] >=0.27, <1",
    "tomli; python_version < '3.12' or sys_platform=='win32'",
    "near @ git+https://example.com/near.git",
    "own>=1",
]
[project.optional-dependencies]
Fast_er = ["idna>=3; sys_platform == 'linux'"]
"""
UV_LOCK = """version = 1
revision = 5
requires-python = ">=3.11, <4"

[[package]]
name = "httpx"
version = "0.28.1"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "lock-me"
version = "0.1"
source = { virtual = "." }

[package.metadata]
requires-dist = [
    { name = "httpx", extras = ["http2"], specifier = ">=0.27,<1" },
    { name = "idna", marker = "sys_platform == 'linux' and extra == 'fast-er'", specifier = ">=3" },
    { name = "near", git = "https://example.com/near.git" },
    { name = "own", editable = "packages/own" },
    { name = "tomli", marker = "python_full_version < '3.12' or sys_platform == 'win32'" },
]
"""


def problems(root: Path) -> list[str]:
    return [str(problem) for problem in check_lock(root)]


def test_a_lock_file_of_uv_that_fits_is_nothing_to_speak_of(tmp_path: Path) -> None:
    assert problems(write(tmp_path, {"pyproject.toml": PYPROJECT, "uv.lock": UV_LOCK})) == []


def test_what_uv_did_not_lock_is_named_with_its_line(tmp_path: Path) -> None:
    changed = (
        PYPROJECT.replace('"own>=1",', '"own>=1",\n    "six",').replace(">=0.27, <1", ">=0.28").replace("<4", "<5")
    )
    write(tmp_path, {"pyproject.toml": changed, "uv.lock": UV_LOCK})

    assert problems(tmp_path) == [
        "pyproject.toml:4: requires-python is '>=3.11,<5', and uv.lock was made for '>=3.11, <4'; run: uv lock",
        "pyproject.toml:6: 'httpx[http2] >=0.28' is not what uv.lock was made from; run: uv lock",
        "pyproject.toml:10: 'six' is not what uv.lock was made from; run: uv lock",
    ]


def test_what_uv_locks_although_nobody_asks_for_it_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT.replace('    "own>=1",\n', ""), "uv.lock": UV_LOCK})

    (problem,) = problems(tmp_path)
    assert problem.startswith(
        "uv.lock:20: it locks 'own' for the project, which pyproject.toml does not ask for any more"
    )


@pytest.mark.parametrize(
    ("lock", "expected"),
    [
        ("version = 1\n", "uv.lock: it does not lock the project 'Lock.Me' of this pyproject.toml; run: uv lock"),
        ("version = \n", "uv.lock:1: it is not TOML"),
        ("<<<<<<< HEAD\n", "uv.lock:1: it is not TOML"),
    ],
)
def test_a_lock_file_of_another_project_or_of_nothing_is_refused(tmp_path: Path, lock: str, expected: str) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT, "uv.lock": lock})

    (problem,) = problems(tmp_path)
    assert problem.startswith(expected)


POETRY = {
    # As poetry 2.4 computes them.
    "e1b17040781405bc80ad544dc033d7c255f7cfd053bf07fbd237557841a956d6": """[tool.poetry]
[tool.poetry.dependencies]
python="^3.11"
six={version="*",optional=true}
[tool.poetry.group.dev.dependencies]
x="*"
""",
    "6413cd2fa5880dd43e0940caf04aaae3dc4e613492c87bca64edde6364e3790b": """[project]
name="a"
requires-python=">=3.11"
dependencies=["six"]
""",
    "b9f954b93364ea8828040cc67cf721ff635d5843aee5a6310303f0499a1be76b": """[project]
name="a"
dependencies=["six"]
[project.optional-dependencies]
a=["b"]
[dependency-groups]
dev=["x"]
[tool.poetry]
package-mode=false
[tool.poetry.dependencies]
six={source="q"}
[[tool.poetry.source]]
name="q"
url="https://example.com"
""",
}


@pytest.mark.parametrize("digest", POETRY)
def test_a_lock_file_of_poetry_is_compared_by_its_hash(tmp_path: Path, digest: str) -> None:
    lock = f'package = []\n[metadata]\nlock-version = "2.1"\ncontent-hash = "{digest}"\n'
    write(tmp_path, {"pyproject.toml": POETRY[digest], "poetry.lock": lock})
    assert problems(tmp_path) == []

    write(tmp_path, {"pyproject.toml": POETRY[digest].replace("six", "sax")})
    assert problems(tmp_path) == ["poetry.lock:4: it was not made from what pyproject.toml says now; run: poetry lock"]


def test_a_lock_file_of_a_poetry_to_come_is_left_to_it(tmp_path: Path) -> None:
    lock = '[metadata]\nlock-version = "3.0"\ncontent-hash = "blake:1"\n'

    assert problems(write(tmp_path, {"pyproject.toml": PYPROJECT, "poetry.lock": lock})) == []


def test_requirements_are_read_as_pip_reads_them(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": """# a comment
-i https://pypi.org/simple
--extra-index-url=https://example.com
-r more/base.txt
-c constraints.txt
httpx==0.28.1 \\
    --hash=sha256:aaaa \\
    --hash=sha256:bbbb  # by hand
six>=1 ; python_version < "4"
-e .
git+https://example.com/a.git@main#egg=a
near @ https://example.com/near.tar.gz
uvicorn[standard]
${PRIVATE}/package
""",
            "more/base.txt": "-r ../requirements.txt\nidna\n",
            "constraints.txt": "idna<4\n",
        },
    )
    assert problems(tmp_path) == []


def test_lines_of_requirements_that_nobody_can_read_are_named(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "requirements.txt": "httpx=0.28\n\n-r missing.txt\nsix >> 1\n-r base.txt\n",
            "base.txt": "a b\n-r ../out.txt\n",
        },
    )
    found = problems(tmp_path)

    assert [line.partition(" ")[0] for line in found] == [
        "requirements.txt:1:", "requirements.txt:3:", "requirements.txt:4:", "base.txt:1:", "base.txt:2:",
    ]  # fmt: skip
    assert "'httpx=0.28' is no requirement" in found[0]
    assert "it includes 'missing.txt', which is not in the bundle" in found[1]


def test_requirements_that_are_against_the_project_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": PYPROJECT, "requirements.txt": "HTTPX==0.20\nidna==3.1\ntomli==2\n"})

    (problem,) = problems(tmp_path)
    assert problem.startswith("requirements.txt:1: 'HTTPX==0.20' is against pyproject.toml, which asks for 'httpx")


def test_requirements_of_the_project_that_nobody_can_read_are_named(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": '[project]\nname = "a"\nrequires-python = "3.11+"\ndependencies = ["a b"]\n'})

    found = problems(tmp_path)
    assert found[0].startswith("pyproject.toml:4: 'a b' is no requirement")
    assert found[1].startswith("pyproject.toml:3: requires-python is '3.11+'; expected versions")


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('dependencies = "httpx"', "pyproject.toml:3: dependencies is 'httpx'; expected a list of requirements"),
        ("dependencies = [1]", "pyproject.toml:3: dependencies is [1]; expected a list"),
        ('optional-dependencies = ["a"]', "pyproject.toml:3: optional-dependencies is ['a']; expected a table"),
    ],
)
def test_lists_of_requirements_that_are_none_are_named(tmp_path: Path, table: str, expected: str) -> None:
    (problem,) = problems(write(tmp_path, {"pyproject.toml": f'[project]\nname = "a"\n{table}\n'}))

    assert problem.startswith(expected)


def test_a_file_in_another_encoding_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": "httpx\n".encode("utf-16")})

    with pytest.raises(DeployError, match=r"requirements.txt is not UTF-8"):
        check_lock(tmp_path)


def test_a_lock_file_beside_settings_alone_is_not_judged(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": "project = 3\n[tool.detent]\n", "uv.lock": "version = 1\n"})

    assert problems(tmp_path) == []


def test_a_project_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    (problem,) = problems(write(tmp_path, {"pyproject.toml": "[project\n"}))

    assert problem.startswith("pyproject.toml:1: it is not TOML")


def test_packages_from_folders_around_the_project_are_named(tmp_path: Path) -> None:
    sources = """[project]
name = "a"
[tool.uv.sources]
inner = { path = "packages/inner" }
near = { path = "../near", editable = true }
sibling = { workspace = true }
detent = { path = "../detent" }
several = [{ path = "gone", marker = "sys_platform == 'linux'" }, { git = "https://example.com/a.git" }]
[tool.poetry.dependencies]
python = "^3.11"
other = { path = "../../other" }
"""
    write(tmp_path, {"pyproject.toml": sources, "packages/inner/pyproject.toml": ""})

    found = problems(tmp_path)

    assert [line.partition(";")[0] for line in found] == [
        "pyproject.toml:5: near comes from ../near, which lies outside of the project",
        "pyproject.toml:6: sibling comes from a workspace of uv that lies around the project",
        "pyproject.toml:8: several comes from gone, which is not in the bundle",
        "pyproject.toml:11: other comes from ../../other, which lies outside of the project",
    ]


def test_folders_that_requirements_install_are_looked_for(tmp_path: Path) -> None:
    write(tmp_path, {"requirements.txt": ".\n-e ./packages/in\n-e ../out\n./gone[all]\n", "packages/in/setup.py": ""})

    assert [line.partition(";")[0] for line in problems(tmp_path)] == [
        "requirements.txt:3: it installs '../out', which lies outside of the project",
        "requirements.txt:4: it installs './gone', which is not in the bundle",
    ]


def test_a_project_without_any_of_these_files_is_fine(tmp_path: Path) -> None:
    assert problems(tmp_path) == []
    assert check_python(tmp_path, "3.11.2") == []


def test_a_python_that_the_project_does_not_run_with_is_named(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.13"\n'})

    (problem,) = check_python(tmp_path, "3.11.2")
    assert str(problem).startswith("pyproject.toml:3: requires-python is '>=3.13', and Python 3.11.2 is what")
    assert check_python(tmp_path, "3.14.0rc1") == []
