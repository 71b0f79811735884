"""The interpreter that a project's environment is made with."""

from __future__ import annotations

import functools
import platform
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from ..errors import DeployError
from .locks import Lock

__all__ = ["Interpreter", "python_for"]

_NEWEST, _OLDEST = 16, 11
_MINOR = re.compile(r"(?:cpython[-@]|python)?(\d+\.\d+)(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """`path`: of the program. `version`: such as ``3.12.1``. `implementation`: such as ``cpython``."""

    path: Path
    version: str
    implementation: str = "cpython"

    @property
    def minor(self) -> str:
        """Such as ``3.12``."""
        return ".".join(self.version.split(".")[:2])

    @property
    def is_as_here(self) -> bool:
        """Whether what this process has imported works there, too."""
        return self.minor == _here().minor and self.implementation == _here().implementation


def python_for(lock: Lock, uv: Path | None) -> Interpreter:
    """The Python of this process where the project allows it, else one that it asks for.

    Parameters:
      uv: which knows more places, and can fetch one; None where it is not there.

    Errors: `DeployError` that names what the project asks for and what is here.
    """
    wanted = _Wanted(lock)
    if wanted(_here().version):
        return _here()
    asked = f"Python {lock.python}" if lock.python else f"Python {lock.requires_python}"
    for minor in range(_NEWEST, _OLDEST - 1, -1):
        program = shutil.which(f"python3.{minor}")
        found = _looked_at(Path(program)) if program else None
        if found is not None and wanted(found.version):
            return found
    if uv is None:
        raise DeployError(
            f"the project asks for {asked}, and this machine has Python {_here().version}; put such a Python on PATH, "
            "or install uv, which fetches one"
        )
    request = lock.python or lock.requires_python or ""
    done = subprocess.run(  # noqa: S603  # uv, with a version
        [uv, "python", "find", "--no-project", request], capture_output=True, text=True, check=False
    )
    if done.returncode:
        done = subprocess.run(  # noqa: S603
            [uv, "python", "install", "--no-bin", request], capture_output=True, text=True, check=False
        )
        if not done.returncode:
            done = subprocess.run(  # noqa: S603
                [uv, "python", "find", "--no-project", request], capture_output=True, text=True, check=False
            )
    found = _looked_at(Path(done.stdout.strip())) if done.returncode == 0 and done.stdout.strip() else None
    if found is None or not wanted(found.version):
        raise DeployError(
            f"the project asks for {asked}, and this machine has Python {_here().version}; uv says: "
            f"{(done.stderr or done.stdout).strip().partition(chr(10))[0][:400] or 'nothing'}"
        )
    return found


class _Wanted:
    """Whether a version is one that the project asks for, and one that detent runs on."""

    def __init__(self, lock: Lock) -> None:
        # The file may name an environment of pyenv, too; and a patch version is no reason to fetch another Python.
        minor = _MINOR.fullmatch(lock.python or "")
        self._exact = SpecifierSet(f"=={minor[1]}.*" if minor is not None else "")
        try:
            self._allowed = SpecifierSet(lock.requires_python or "")
        except InvalidSpecifier as error:
            raise DeployError(f"the project's requires-python is {lock.requires_python!r}: {error}") from None

    def __call__(self, version: str) -> bool:
        sets = (self._allowed, self._exact, SpecifierSet(f">=3.{_OLDEST}"))
        return all(one.contains(version, prereleases=True) for one in sets)


@functools.cache
def _here() -> Interpreter:
    # An environment on an environment would find the packages of neither.
    base = Path(getattr(sys, "_base_executable", None) or sys.executable)
    return Interpreter(base, platform.python_version(), sys.implementation.name)


def _looked_at(path: Path) -> Interpreter | None:
    """A name on PATH may be a shim of a version that is not there, so it is started."""
    code = "import platform, sys; print(platform.python_version(), sys.implementation.name, sys.executable)"
    try:
        done = subprocess.run(  # noqa: S603
            [path, "-I", "-c", code], capture_output=True, text=True, check=True, timeout=30
        )
        version, implementation, program = done.stdout.strip().split(" ", 2)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return Interpreter(Path(program), version, implementation)
