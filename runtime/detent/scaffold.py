"""The files of a first project, written beside what is there: nothing of the user's is overwritten."""

from __future__ import annotations

import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .config import read_settings
from .errors import ConfigError

__all__ = ["Change", "Choices", "add_command", "initialise", "usual_choices"]

EXAMPLE = '''\
"""A first task. With `detent dev` running, try:

    detent tasks trigger hello --payload '{"name": "Ada"}' --wait
"""

from pydantic import BaseModel

from detent import Context, logger, task


class Greeting(BaseModel):
    name: str = "world"


@task(id="hello")
async def hello(payload: Greeting, ctx: Context) -> str:
    """Greet somebody. What is returned is the output of the run."""
    logger.info("greeting", name=payload.name)
    return f"Hello, {payload.name}!"
'''

IGNORE_ENTRY = ".detent/"


@dataclass(frozen=True, slots=True)
class Change:
    """What became of one file: ``created``, ``changed`` or ``kept``, and why."""

    path: Path
    action: str
    note: str


@dataclass(frozen=True, slots=True)
class Choices:
    """What `detent init` asks: a name, a folder for tasks inside the project, whether to add an example."""

    project: str
    tasks_dir: str = "tasks"
    example: bool = True


def usual_choices(root: Path) -> Choices:
    """The answers that fit `root` as it is: those of its settings, when it has some.

    Raises:
      ConfigError: a settings file is not valid TOML.
    """
    settings = read_settings(root)
    own = settings.table if settings else {}
    name = own.get("project") or _name_in_pyproject(root) or root.resolve().name or "project"
    dirs = own.get("dirs")
    first = dirs[0] if isinstance(dirs, list) and dirs and isinstance(dirs[0], str) else "tasks"
    return Choices(project=str(name), tasks_dir=first)


def initialise(root: Path, choices: Choices | None = None) -> list[Change]:
    """Make `root` a project: settings, an example task, an ignore entry. Doing it again changes nothing.

    Parameters:
      root: the project's folder; it is made when it does not exist.
      choices: what was asked; the usual answers when None.

    Returns:
      One change for each file that was looked at, also for those that were kept.

    Raises:
      ConfigError: `root` is a file, the tasks folder leaves the project, a settings file is not valid TOML,
        or a file cannot be written.
    """
    if root.exists() and not root.is_dir():
        raise ConfigError(f"{root} is a file; name a folder")
    if choices is None:
        choices = usual_choices(root)
    folder = root / choices.tasks_dir
    if not folder.resolve().is_relative_to(root.resolve()):
        raise ConfigError(f"the tasks folder {choices.tasks_dir!r} is outside the project; name one inside {root}")
    # Settings that cannot be read are refused before anything is written.
    settings = read_settings(root)
    try:
        root.mkdir(parents=True, exist_ok=True)
        changes = [
            Change(settings.file, "kept", "has settings already") if settings else _write_settings(root, choices)
        ]
        if choices.example:
            changes.append(_write_example(folder))
        changes.append(_write_ignore(root / ".gitignore"))
    except OSError as error:
        raise ConfigError(
            f"{error.filename or root} cannot be written: {error.strerror}; mend that and run detent init again"
        ) from error
    return changes


def add_command(root: Path) -> str | None:
    """The command that adds detent to the dependencies of `root`, or None when it is among them.

    The project's tool is told from its files: uv, then poetry, else pip.
    """
    pyproject = _pyproject(root)
    requirements = root / "requirements.txt"
    named = [str(item) for item in _table(pyproject, "project").get("dependencies", [])]
    tool = _table(pyproject, "tool")
    named += list(_table(tool, "poetry").get("dependencies", {}))
    if requirements.is_file():
        named += requirements.read_text(encoding="utf-8", errors="replace").splitlines()
    if any(_is_detent(requirement) for requirement in named):
        return None
    if (root / "uv.lock").is_file() or "uv" in tool:
        return "uv add detent"
    if (root / "poetry.lock").is_file() or "poetry" in tool:
        return "poetry add detent"
    if requirements.is_file():
        return "echo detent >> requirements.txt && pip install -r requirements.txt"
    return "pip install detent"


def _is_detent(requirement: str) -> bool:
    import re

    return re.match(r"\s*detent\s*($|[\[<>=!~;@,#])", requirement, re.IGNORECASE) is not None


def _pyproject(root: Path) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads((root / "pyproject.toml").read_bytes().decode("utf-8-sig"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{root / 'pyproject.toml'} is not valid TOML: {error}") from error


def _name_in_pyproject(root: Path) -> str | None:
    document = _pyproject(root)
    poetry = _table(_table(document, "tool"), "poetry")
    name = _table(document, "project").get("name") or poetry.get("name")
    return name if isinstance(name, str) else None


def _table(values: dict[str, Any], key: str) -> dict[str, Any]:
    inner = values.get(key)
    return inner if isinstance(inner, dict) else {}


def _write_settings(root: Path, choices: Choices) -> Change:
    import tomlkit

    pyproject = root / "pyproject.toml"
    values = {"project": choices.project, "dirs": [choices.tasks_dir]}
    # A `tool` written inline, as in `tool = {...}`, cannot be added to from outside.
    if pyproject.is_file() and _can_hold_table(pyproject):
        _append(pyproject, f"[tool.detent]\n{tomlkit.dumps(values)}", blank_line=True)
        return Change(pyproject, "changed", "[tool.detent] added at its end")
    own = root / "detent.toml"
    own.write_text(tomlkit.dumps(values), encoding="utf-8", newline="\n")
    return Change(own, "created", "the settings of the project")


def _can_hold_table(pyproject: Path) -> bool:
    import tomllib

    text = pyproject.read_bytes().decode("utf-8-sig")
    try:
        tomllib.loads(f"{text}\n[tool.detent]\n")
    except tomllib.TOMLDecodeError:
        return False
    return True


def _write_example(folder: Path) -> Change:
    example = folder / "hello.py"
    if example.exists():
        return Change(example, "kept", "exists already")
    if folder.is_dir() and next(folder.rglob("*.py"), None) is not None:
        return Change(folder, "kept", "has Python files already, so it gets no example")
    folder.mkdir(parents=True, exist_ok=True)
    example.write_text(EXAMPLE, encoding="utf-8", newline="\n")
    return Change(example, "created", "an example task")


def _write_ignore(file: Path) -> Change:
    if not file.exists():
        file.write_text(f"{IGNORE_ENTRY}\n", encoding="utf-8", newline="\n")
        return Change(file, "created", f"with the entry {IGNORE_ENTRY}")
    entries = file.read_bytes().decode("utf-8", errors="replace").splitlines()
    if any(entry.strip().strip("/") == IGNORE_ENTRY.strip("/") for entry in entries):
        return Change(file, "kept", f"has the entry {IGNORE_ENTRY} already")
    _append(file, f"{IGNORE_ENTRY}\n")
    return Change(file, "changed", f"the entry {IGNORE_ENTRY} added")


def _append(file: Path, text: str, *, blank_line: bool = False) -> None:
    """Add `text` to `file` with the file's own line ends; its bytes and its mode stay.

    The file is replaced in one step, so that a full disk leaves the old one.
    """
    target = file.resolve()
    before = target.read_bytes()
    end = b"\r\n" if b"\r\n" in before else b"\n"
    gap = b"" if not before or before.endswith(b"\n") else end
    if blank_line and before.strip():
        gap += end
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(before + gap + text.encode().replace(b"\n", end))
        shutil.copymode(target, name)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
