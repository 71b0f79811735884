"""The set-up of a checkout, on machines that are worse than this one.

Interpreters and apt-get are small programs put first on PATH: they refuse what a bare Debian refuses, and
hand everything else to the Python that runs the tests.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "make-venv"
CP = shutil.which("cp")
PLAIN_TOOLS = ("bash", "mktemp", "rm", "dirname", "cat", "touch", "chmod", "head")

NO_ENSUREPIP = """\
if [ "$1 $2" = "-m venv" ] && [ ! -e "$MACHINE/python3-venv" ]; then
    echo "The virtual environment was not created successfully because ensurepip is not available." >&2
    exit 1
fi
"""
NO_PIP = 'if [ "$1 $2" = "-m pip" ]; then echo "No module named pip" >&2; exit 1; fi\n'
OF_DEBIAN = 'case "$1 $2" in "-c import sys; sys.exit(sys.base_prefix != \\"/usr\\")") exit 0 ;; esac\n'
TOO_OLD = 'if [ "$1" = "-c" ]; then exit 1; fi\n'


class Machine:
    """A PATH with nothing on it but what a test puts there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.bin = root / "bin"
        self.bin.mkdir(parents=True)
        for tool in PLAIN_TOOLS:
            [real] = [
                found
                for found in (Path(folder, tool) for folder in os.defpath.split(os.pathsep) if folder)
                if found.exists()
            ][:1]
            (self.bin / tool).symlink_to(real)

    def put(self, name: str, script: str) -> None:
        path = self.bin / name
        path.write_text(f"#!/bin/sh\n{script}", encoding="utf-8")
        path.chmod(0o755)

    def put_python(self, name: str, refusals: str = "", template: Path | None = None) -> None:
        """An interpreter, which copies the environment `template`, where one is given, to make one."""
        copying = f'if [ "$1 $2" = "-m venv" ]; then exec {CP} -a "{template}/." "$4"; fi\n' if template else ""
        self.put(name, f'{refusals}echo {name} "$@" >> "$MACHINE/calls"\n{copying}exec "{sys.executable}" "$@"\n')

    def put_id(self, number: int) -> None:
        self.put("id", f"echo {number}\n")

    def make_venv(self, **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(SCRIPT), "--only-interpreter", str(self.root / "venv")],
            env={"PATH": str(self.bin), "MACHINE": str(self.root), "HOME": str(self.root), **env},
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> str:
        calls = self.root / "calls"
        return calls.read_text(encoding="utf-8") if calls.exists() else ""

    def has_environment(self) -> bool:
        python = self.root / "venv" / "bin" / "python"
        return python.exists() and not subprocess.run([python, "-m", "pip", "--version"], check=False).returncode


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path / "machine")
    machine.put_id(1000)
    return machine


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment; to make one takes seconds, of which one test has its own."""
    folder = tmp_path_factory.mktemp("template") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    return folder


def test_the_newest_python_that_starts_makes_the_environment_once(machine: Machine) -> None:
    machine.put("python3.14", 'echo "version 3.14 is not installed" >&2; exit 127\n')
    machine.put_python("python3.13")
    machine.put_python("python3.11")

    made = machine.make_venv()

    assert made.returncode == 0, made.stderr
    assert machine.has_environment()
    assert "python3.13 -m venv" in machine.calls()
    assert "python3.11 -m venv" not in machine.calls()

    mark = machine.root / "venv" / "mark"
    mark.touch()
    assert machine.make_venv().returncode == 0
    assert mark.exists()


def test_an_older_python_makes_the_environment_when_the_newest_lacks_ensurepip(
    machine: Machine, template: Path
) -> None:
    machine.put_python("python3.13", NO_ENSUREPIP)
    machine.put_python("python3.12", template=template)

    made = machine.make_venv()

    assert made.returncode == 0, made.stderr
    assert machine.has_environment()


def test_root_gets_the_missing_package_from_apt(machine: Machine, template: Path) -> None:
    machine.put_id(0)
    machine.put_python("python3", OF_DEBIAN + NO_ENSUREPIP + NO_PIP, template)
    machine.put(
        "apt-get",
        'echo "apt-get $*" >> "$MACHINE/calls"; [ "$1" = update ] || touch "$MACHINE/python3-venv"\n',
    )

    made = machine.make_venv()

    assert made.returncode == 0, made.stderr
    assert machine.has_environment()
    assert "apt-get install -y -qq python3-venv" in machine.calls()


def test_without_rights_and_without_pip_the_exact_command_is_printed(machine: Machine) -> None:
    machine.put_python("python3", OF_DEBIAN + NO_ENSUREPIP + NO_PIP)
    machine.put("apt-get", 'echo "apt-get $*" >> "$MACHINE/calls"\n')

    made = machine.make_venv()

    assert made.returncode == 1
    assert "sudo apt-get install -y python3-venv" in made.stderr
    assert "ensurepip is not available" in made.stderr
    assert "apt-get" not in machine.calls()
    assert not (machine.root / "venv").exists()


@pytest.mark.parametrize("script", [None, TOO_OLD])
def test_a_machine_without_a_new_enough_python_is_told_what_to_install(machine: Machine, script: str | None) -> None:
    if script is not None:
        machine.put_python("python3", script)

    made = machine.make_venv()

    assert made.returncode == 1
    assert "not a Python 3.11 or newer" in made.stderr
    assert "apt-get install -y python3 python3-venv" in made.stderr


def test_the_named_python_is_the_only_one_tried(machine: Machine, template: Path) -> None:
    machine.put_python("python3.13")
    machine.put_python("my python", template=template)

    made = machine.make_venv(PYTHON="my python")

    assert made.returncode == 0, made.stderr
    assert "my python -m venv" in machine.calls()
    assert "python3.13" not in machine.calls()
