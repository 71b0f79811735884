"""What `pip install detent` brings: three packages, and the folders that travel with them."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = ("skills", "rules_templates", "docs")


@pytest.fixture(scope="module")
def names_in_wheel(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    folder = tmp_path_factory.mktemp("dist")
    built = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.mark.parametrize(
    ("source", "package"),
    [("runtime", "detent"), ("cli", "detent_cli"), ("mcp_server", "detent_mcp")],
)
def test_every_module_of_a_package_is_in_the_wheel(source: str, package: str, names_in_wheel: set[str]) -> None:
    modules = {path.relative_to(ROOT / source).as_posix() for path in (ROOT / source / package).rglob("*.py")}
    assert f"{package}/__init__.py" in modules
    assert modules <= names_in_wheel


@pytest.mark.parametrize("folder", SHIPPED)
def test_every_file_of_a_shipped_folder_is_in_the_wheel(folder: str, names_in_wheel: set[str]) -> None:
    files = {
        f"detent/_shipped/{path.relative_to(ROOT).as_posix()}"
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and path.name != ".keep" and "__pycache__" not in path.parts
    }
    assert files <= names_in_wheel


def test_skills_are_where_library_skills_looks_for_them(names_in_wheel: set[str]) -> None:
    files = {path.relative_to(ROOT).as_posix() for path in (ROOT / "skills").rglob("*.md")}
    assert files
    assert {f"detent/.agents/{name}" for name in files} <= names_in_wheel


def test_the_wheel_says_that_it_is_typed(names_in_wheel: set[str]) -> None:
    assert "detent/py.typed" in names_in_wheel


def test_the_wheel_holds_nothing_but_the_packages(names_in_wheel: set[str]) -> None:
    tops = {name.split("/")[0] for name in names_in_wheel if ".dist-info/" not in name}
    assert tops == {"detent", "detent_cli", "detent_mcp"}
