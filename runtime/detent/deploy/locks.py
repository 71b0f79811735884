"""What decides which packages a project runs with: its lock file, or what stands in for one."""

from __future__ import annotations

import hashlib
import json
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ..errors import DeployError
from .requirement_files import RequirementFiles, read_requirements

__all__ = ["Kind", "Lock", "lock_of"]

Kind = Literal["uv", "poetry", "requirements", "pyproject", "none"]

#: Raised when the same files lead to other environments than before.
_FORM = "1"
_NO_CODE = frozenset({"__pycache__", ".git", ".venv", "node_modules"})


@dataclass(frozen=True, slots=True)
class Lock:
    """What a project says of its packages.

    `kind`: ``uv`` (`uv.lock`), ``poetry`` (`poetry.lock`), ``requirements`` (`requirements.txt`), ``pyproject`` (the
    dependencies that `pyproject.toml` names) or ``none``. `file`: where it stands, None for ``none``. `hash`: sha256,
    in hex, the same on every machine for the same files. `project`: `pyproject.toml` as it was read, {} without one.
    `python`: the version that `.python-version` asks for; `requires_python`: what the project allows, such as
    ``>=3.12``. `requirements`: what `requirements.txt` says with all that it includes.
    """

    kind: Kind
    file: Path | None
    hash: str
    project: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)
    python: str | None = None
    requires_python: str | None = None
    requirements: RequirementFiles | None = field(default=None, repr=False, compare=False)


def lock_of(project: Path) -> Lock:
    """What decides the packages of the project in the folder `project`.

    `uv.lock` beside a `pyproject.toml` goes first, then `poetry.lock`, `requirements.txt`, and the dependencies of
    `pyproject.toml`.

    Errors: `DeployError` for files that cannot be read, with file and line where there is one.
    """
    pyproject = _toml(project / "pyproject.toml")
    table = pyproject.get("project", {})
    kind, file, text, requirements = _found(project, pyproject)
    python = _python_version(project / ".python-version")
    requires = table.get("requires-python")
    requires = requires if isinstance(requires, str) else None
    if requires is None and kind == "poetry":
        requires = _of_poetry(pyproject)
    digest = hashlib.sha256(json.dumps([_FORM, kind, python, requires, text]).encode())
    for folder in _local(kind, text, requirements):
        _add_folder(digest, project, folder)
    return Lock(kind, file, digest.hexdigest(), pyproject, python, requires, requirements)


def _found(project: Path, pyproject: dict[str, Any]) -> tuple[Kind, Path | None, str, RequirementFiles | None]:
    manifest = project / "pyproject.toml"
    for kind, name in (("uv", "uv.lock"), ("poetry", "poetry.lock")):
        file = project / name
        if pyproject and file.is_file():
            _toml(file)
            return ("uv" if kind == "uv" else "poetry"), file, _text(file), None
    file = project / "requirements.txt"
    if file.is_file():
        found = read_requirements(project)
        text = found.text
        if found.includes_project:
            text += json.dumps(pyproject.get("project", {}).get("dependencies", []))
        return "requirements", file, text, found
    table = pyproject.get("project", {})
    if "dependencies" in table or "optional-dependencies" in table:
        return "pyproject", manifest, json.dumps(table.get("dependencies", [])), None
    if "dependencies" in pyproject.get("tool", {}).get("poetry", {}):
        raise DeployError(
            f"{manifest.name} names its dependencies for poetry, and there is no poetry.lock; run: poetry lock"
        )
    return "none", None, "", None


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").replace("\r\n", "\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DeployError(f"{file.name} cannot be read: {error}") from None


def _toml(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    try:
        return tomllib.loads(_text(file))
    except tomllib.TOMLDecodeError as error:
        raise DeployError(f"{file.name} is no TOML: {error}; a lock file is made anew by its tool") from None


def _python_version(file: Path) -> str | None:
    """Its first line that says something."""
    if not file.is_file():
        return None
    lines = (line.partition("#")[0].strip() for line in _text(file).splitlines())
    return next((line for line in lines if line), None)


def _of_poetry(pyproject: dict[str, Any]) -> str | None:
    """What poetry writes as ``^3.11`` or ``~3.12``, as everybody else writes it."""
    wanted = pyproject.get("tool", {}).get("poetry", {}).get("dependencies", {}).get("python")
    if not isinstance(wanted, str):
        return None
    numbers = wanted.lstrip("^~").split(".")
    if wanted.startswith("^"):
        return f">={wanted[1:]},<{int(numbers[0]) + 1}" if numbers[0].isdigit() else None
    if wanted.startswith("~") and not wanted.startswith("~="):
        return f">={wanted[1:]},=={'.'.join(numbers[:2])}.*"
    return wanted


def _local(kind: Kind, text: str, requirements: RequirementFiles | None) -> list[str]:
    """Folders and files of the project that become packages of the environment: what is in them counts."""
    if requirements is not None:
        return requirements.local
    packages = tomllib.loads(text).get("package", []) if kind in ("uv", "poetry") else []
    found = []
    for package in packages:
        source = package.get("source", {})
        if kind == "uv":
            path = next((source[key] for key in ("editable", "directory", "path") if key in source), None)
        else:
            path = source.get("url") if source.get("type") in ("directory", "file") else None
        if isinstance(path, str) and path not in (".", ""):
            found.append(path)
    return found


def _add_folder(digest: hashlib._Hash, project: Path, name: str) -> None:
    """Take what is at `name` in, if it is in the project. What lies elsewhere is not in a bundle either."""
    top = (project / name).resolve()
    if not top.is_relative_to(project.resolve()) or top == project.resolve():
        return
    files = [top] if top.is_file() else sorted(path for path in top.rglob("*") if path.is_file())
    for file in files:
        shown = file.relative_to(project.resolve())
        if not _NO_CODE.intersection(shown.parts):
            digest.update(json.dumps([shown.as_posix(), hashlib.sha256(file.read_bytes()).hexdigest()]).encode())
