"""uv, or venv and pip: whoever makes environments and fills them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Protocol

from packaging.version import InvalidVersion, Version

from ..errors import DeployError
from .pythons import Interpreter

__all__ = ["Installer", "Pip", "Uv", "find_uv", "program_of", "resolver_message", "run_tool"]

OnLine = Callable[[str], None]

#: Lines of a tool's output that an error shows.
_SHOWN = 20
#: What pip is told of its indexes counts for uv, too, which has names of its own for it.
_FOR_UV = {
    "PIP_INDEX_URL": "UV_DEFAULT_INDEX",
    "PIP_EXTRA_INDEX_URL": "UV_INDEX",
    "PIP_FIND_LINKS": "UV_FIND_LINKS",
    "PIP_NO_INDEX": "UV_NO_INDEX",
    "PIP_CONSTRAINT": "UV_CONSTRAINT",
}
_INTO_OTHERS = Version("22.3")
_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


class Installer(Protocol):
    """Makes virtual environments, and puts packages into them."""

    @property
    def name(self) -> str: ...

    def make(self, folder: Path, python: Interpreter, on_line: OnLine) -> None:
        """Make an empty environment at `folder`. Errors: `DeployError`."""

    def install(self, python: Path, arguments: Sequence[str], folder: Path, on_line: OnLine) -> None:
        """Install what `arguments`, as of ``pip install``, say, with `folder` as the current one. Errors:
        `DeployError` with what the resolver says."""


class Uv:
    """uv, which is faster and keeps what it has fetched. `path`: of the program."""

    name = "uv"

    def __init__(self, path: Path) -> None:
        self.path = path

    def make(self, folder: Path, python: Interpreter, on_line: OnLine) -> None:
        command: list[str | Path] = [
            self.path,
            "venv",
            "--quiet",
            "--no-project",
            "--no-config",
            "--python",
            python.path,
            folder,
        ]
        run_tool(command, folder.parent, on_line, _uv_variables())

    def install(self, python: Path, arguments: Sequence[str], folder: Path, on_line: OnLine) -> None:
        run_tool([self.path, "pip", "install", "--python", python, *arguments], folder, on_line, _uv_variables())

    def sync(self, environment: Path, left_out: Sequence[str], folder: Path, on_line: OnLine) -> None:
        """Install what `uv.lock` of the project in `folder` says, but its groups for development.

        Parameters:
          environment: its folder. `left_out`: names of packages that are not to be installed themselves.

        Errors: `DeployError`.
        """
        command: list[str | Path] = [self.path, "sync", "--frozen", "--no-install-project", "--no-dev", "--no-editable"]
        command += [f"--no-install-package={name}" for name in left_out]
        run_tool(command, folder, on_line, _uv_variables() | {"UV_PROJECT_ENVIRONMENT": str(environment)})


class Pip:
    """venv and pip, as Python brings them. The pip of this process installs into environments that have none, where it
    can: they are made in a moment then, also by a Python that lacks ensurepip."""

    name = "pip"

    def __init__(self) -> None:
        self._is_here = _has_pip()

    def make(self, folder: Path, python: Interpreter, on_line: OnLine) -> None:
        less = ["--without-pip"] if self._is_here else []
        run_tool([python.path, "-I", "-m", "venv", *less, folder], folder.parent, on_line, {})

    def install(self, python: Path, arguments: Sequence[str], folder: Path, on_line: OnLine) -> None:
        pip: list[str | Path] = (
            [sys.executable, "-m", "pip", "--python", python] if self._is_here else [python, "-m", "pip"]
        )
        command = [*pip, "install", "--disable-pip-version-check", "--no-input", *arguments]
        run_tool(command, folder, on_line, {"PYTHONNOUSERSITE": "1"})


def find_uv() -> Path | None:
    """The program uv: the one that started this process, one on PATH, or one beside this Python."""
    beside = Path(sys.executable).parent / "uv"
    for found in (os.environ.get("UV"), shutil.which("uv"), str(beside)):
        if found and os.access(found, os.X_OK) and Path(found).is_file():
            return Path(found)
    return None


def _has_pip() -> bool:
    """Whether this process's environment has a pip that installs into others."""
    try:
        return Version(metadata.version("pip")) >= _INTO_OTHERS
    except (metadata.PackageNotFoundError, InvalidVersion):
        return False


def program_of(environment: Path) -> Path:
    """The interpreter of a virtual environment."""
    return environment / "Scripts" / "python.exe" if os.name == "nt" else environment / "bin" / "python"


def run_tool(command: Sequence[str | Path], folder: Path, on_line: OnLine, variables: Mapping[str, str]) -> None:
    """Run a program to its end, and hand its lines to `on_line`. Errors: `DeployError` with what it says."""
    kept = {
        name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONHOME", "PYTHONPATH")
    }
    # A place of its own keeps what packages say while they are built out of the terminal.
    environment = kept | {"NO_COLOR": "1", "PYTHONUNBUFFERED": "1"} | dict(variables)
    try:
        process = subprocess.Popen(  # noqa: S603  # the installer
            [str(part) for part in command],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
    except OSError as error:
        raise DeployError(f"{command[0]} cannot be started: {error}") from None
    lines: list[str] = []
    with process:
        try:
            for raw in process.stdout or ():
                line = _COLOURS.sub("", raw).rstrip()
                lines.append(line)
                if line:
                    on_line(line)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        output = "\n".join(lines)
        said = resolver_message(output) or f"{Path(command[0]).name} ended with {process.returncode}"
        raise DeployError(f"the packages of this project cannot be installed: {said}", output=output)


def resolver_message(output: str) -> str:
    """What matters of what uv or pip wrote before it failed: from its first error on, without advice about itself."""
    lines = [line.rstrip() for line in output.splitlines() if line.strip()]
    errors = [number for number, line in enumerate(lines) if _is_error(line)]
    if not errors:
        return "\n".join(lines[-_SHOWN:])
    if any(line.startswith("ERROR:") for line in lines):
        told = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
        # pip says first which versions there are, which is long, and then in one line what is missing.
        short = [line for line in told if line.startswith(("No matching distribution", "Cannot install"))]
        return "\n".join((told if not short else [*short, *(t for t in told if t not in short)])[:_SHOWN])
    return "\n".join(line.strip() for line in lines[errors[0] :][:_SHOWN])


def _is_error(line: str) -> bool:
    return line.lstrip().startswith(("error:", "ERROR:", "\N{MULTIPLICATION SIGN}"))


def _uv_variables() -> dict[str, str]:
    found = {
        theirs: os.environ[ours]
        for ours, theirs in _FOR_UV.items()
        if os.environ.get(ours) and theirs not in os.environ
    }
    # Links into uv's own folder would let a damaged environment damage all others.
    return {"UV_NO_PROGRESS": "1", "UV_LINK_MODE": os.environ.get("UV_LINK_MODE", "copy"), **found}
