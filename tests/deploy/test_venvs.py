"""Environments by uv and by pip, with packages from a folder and no network."""

from __future__ import annotations

import os
import subprocess
import threading
from pathlib import Path

import pytest
from tests.deploy.project import write
from tests.deploy.wheels import only_from, wheel

from detent.deploy import Environments
from detent.deploy.installers import find_uv, resolver_message
from detent.deploy.venvs import damage_of
from detent.errors import DeployError

WITHOUT = pytest.mark.skipif(find_uv() is None, reason="uv is not installed")
BOTH = pytest.mark.parametrize("uv", [pytest.param(True, id="uv", marks=WITHOUT), pytest.param(False, id="pip")])


@pytest.fixture
def wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "wheels"
    only_from(folder, monkeypatch)
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "uv-cache"))
    wheel(folder, "pebble", "1.0")
    wheel(folder, "pebble", "2.0", ["gravel>=1"])
    wheel(folder, "gravel", "1.5")
    return folder


def _said(python: Path, code: str) -> str:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, env=environment, cwd="/")
    return done.stdout.strip()


@BOTH
def test_requirements_are_installed_beside_detent_and_kept(uv: bool, wheels: Path, tmp_path: Path) -> None:
    project = write(tmp_path / "app", {"requirements.txt": "-r base.txt\n", "base.txt": "pebble==1.0\n"})
    environments = Environments(tmp_path / "cache", uv=uv)

    python = environments.ensure(project)

    assert _said(python, "import pebble, detent.worker.process, detent_cli.app; print(pebble.VERSION)") == "1.0"
    # Nothing can be fetched any more, and nothing is.
    for file in wheels.iterdir():
        file.unlink()
    lines: list[str] = []
    assert environments.ensure(project, on_line=lines.append) == python
    assert lines == []


def test_a_package_that_is_missing_fails_with_its_name_and_leaves_nothing(wheels: Path, tmp_path: Path) -> None:
    project = write(tmp_path / "app", {"requirements.txt": "pebble\nno-such-stone==4\n"})

    for uv in [True, False][find_uv() is None :]:
        with pytest.raises(DeployError, match="no-such-stone") as refused:
            Environments(tmp_path / "cache", uv=uv).ensure(project)
        assert "no-such-stone" in refused.value.output
    assert not [path for path in (tmp_path / "cache" / "venvs").iterdir() if path.is_dir()]


@WITHOUT
def test_a_uv_project_gets_what_its_lock_says_without_its_groups(wheels: Path, tmp_path: Path) -> None:
    project = write(
        tmp_path / "app",
        {
            "pyproject.toml": '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
            'dependencies = ["pebble"]\n[dependency-groups]\ndev = ["no-such-stone"]\n'
        },
    )
    wheel(wheels, "no_such_stone", "1.0")
    uv = find_uv()
    assert uv is not None
    options = ["--no-index", "--find-links", str(wheels), "--no-python-downloads"]
    subprocess.run([uv, "lock", "--quiet", *options], cwd=project, check=True)
    wheel(wheels, "pebble", "3.0")

    python = Environments(tmp_path / "cache").ensure(project)

    code = "import pebble, importlib.util as u; print(pebble.VERSION, u.find_spec('no_such_stone'))"
    assert _said(python, code) == "2.0 None"


def test_a_poetry_project_needs_no_poetry(wheels: Path, tmp_path: Path) -> None:
    digest = wheel(wheels, "pebble", "1.0")
    project = write(
        tmp_path / "app",
        {
            "pyproject.toml": '[tool.poetry.dependencies]\npython = "^3.11"\npebble = "*"\n',
            "poetry.lock": '[[package]]\nname = "pebble"\nversion = "1.0"\noptional = false\npython-versions = "*"\n'
            f'groups = ["main"]\nfiles = [{{file = "pebble-1.0-py3-none-any.whl", hash = "{digest}"}}]\n',
        },
    )

    python = Environments(tmp_path / "cache").ensure(project)

    assert _said(python, "import pebble; print(pebble.VERSION)") == "1.0"


def test_a_file_that_is_not_the_locked_one_is_refused(wheels: Path, tmp_path: Path) -> None:
    project = write(tmp_path / "app", {"requirements.txt": f"pebble==1.0 --hash=sha256:{'0' * 64}\n"})

    with pytest.raises(DeployError, match=r"(?i)hash"):
        Environments(tmp_path / "cache").ensure(project)


def test_a_lock_that_detent_cannot_work_with_is_named(wheels: Path, tmp_path: Path) -> None:
    wheel(wheels, "msgspec", "0.1")
    project = write(tmp_path / "app", {"requirements.txt": "msgspec==0.1\n"})

    with pytest.raises(DeployError, match=r"requirements\.txt brings msgspec 0\.1, and detent needs msgspec>="):
        Environments(tmp_path / "cache").ensure(project)


def test_a_damaged_environment_is_made_anew(wheels: Path, tmp_path: Path) -> None:
    project = write(tmp_path / "app", {"requirements.txt": "pebble==1.0\n"})
    environments = Environments(tmp_path / "cache")
    pythons = [environments.ensure(project)]
    for damage in ("lib/*/site-packages/pebble/__init__.py", "bin/python"):
        folder = pythons[-1].parents[1]
        next(folder.glob(damage)).unlink()
        lines: list[str] = []

        pythons.append(environments.ensure(project, on_line=lines.append))

        assert not folder.exists()
        assert lines[0].endswith("it is made anew")
    assert len(set(pythons)) == 3
    assert _said(pythons[-1], "import pebble; print(pebble.VERSION)") == "1.0"


def test_an_environment_that_was_never_finished_is_not_used(tmp_path: Path) -> None:
    folder = write(tmp_path / "venvs" / "aa-1", {"bin/python": "", "lib/python3/site-packages/pebble.py": ""})

    assert damage_of(folder) == "was never finished"


def test_two_at_once_make_one_environment(wheels: Path, tmp_path: Path) -> None:
    project = write(tmp_path / "app", {"requirements.txt": "pebble==1.0\n"})
    found: list[Path] = []
    threads = [
        threading.Thread(target=lambda: found.append(Environments(tmp_path / "cache").ensure(project)))
        for _ in range(3)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 3
    assert len(set(found)) == 1


def test_a_python_that_the_project_asks_for_and_is_not_here_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = write(tmp_path / "app", {"pyproject.toml": '[project]\nname = "a"\nrequires-python = ">=3.99"\n'})

    with pytest.raises(DeployError, match=r"the project asks for Python >=3\.99, and this machine has Python 3"):
        Environments(tmp_path / "cache", uv=False).ensure(project)


def test_environments_that_nobody_uses_are_removed(tmp_path: Path) -> None:
    names = ("aa-1", "bb-1", "cc-1")
    folders = [write(tmp_path / "venvs" / name, {"detent-environment.json": "{}"}) for name in names]
    old, kept, _ = folders
    for folder in (old, kept):
        os.utime(folder / "detent-environment.json", (0, 0))

    removed = Environments(tmp_path).prune(keep=[kept / "bin" / "python"])

    assert removed == [old]
    assert [folder.exists() for folder in folders] == [False, True, True]


@pytest.mark.parametrize(
    ("output", "message"),
    [
        (
            "Using Python 3\n  \N{MULTIPLICATION SIGN} No solution found:\n  ╰─▶ Because stone was not found, no.\n",
            "\N{MULTIPLICATION SIGN} No solution found:\n╰─▶ Because stone was not found, no.",
        ),
        (
            "Looking in links: x\nERROR: Could not find a version that satisfies the requirement stone==4 (from: 1)"
            "\nERROR: No matching distribution found for stone==4\n[notice] A new release of pip\n",
            "No matching distribution found for stone==4\nCould not find a version that satisfies the requirement "
            "stone==4 (from: 1)",
        ),
        ("something odd\n", "something odd"),
    ],
)
def test_what_matters_of_a_resolvers_output_is_kept(output: str, message: str) -> None:
    assert resolver_message(output) == message
