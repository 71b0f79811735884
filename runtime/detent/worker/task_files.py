"""Which files of a project may hold tasks, and what Python calls them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from detent.config import Config
from detent.worker.problem import Problem, shown

__all__ = ["Place", "place_of", "task_files"]

_SKIPPED_FOLDERS = frozenset({"__pycache__", "node_modules", "site-packages"})


class Place(NamedTuple):
    """Where a file stands among Python's modules: `root` has to be on ``sys.path`` for `name` to be it."""

    root: Path
    name: str


def task_files(config: Config, problems: list[Problem]) -> Iterator[Path]:
    """Every task file once, by its real path, in an order that does not change from machine to machine."""
    if not config.dirs:
        problems.append(
            Problem(
                file=str(config.file or config.root),
                line=1,
                message='no folder with tasks is set; set dirs = ["FOLDER"], or run: detent init',
                code="no_dirs",
            )
        )
    seen: set[Path] = set()
    for entry in config.dirs:
        if entry.is_dir():
            found = _walk(entry, config)
        elif entry.is_file() and entry.suffix == ".py":
            found = iter((entry,))
        else:
            what = "is not a Python file" if entry.exists() else "does not exist"
            problems.append(
                Problem(
                    file=str(config.file or config.root),
                    line=1,
                    message=f"dirs names {shown(entry, config.root)}, which {what}; make it or correct dirs",
                    code="missing_dir",
                )
            )
            continue
        for file in found:
            real = file.resolve()
            if real not in seen:
                seen.add(real)
                yield real


def _walk(top: Path, config: Config) -> Iterator[Path]:
    for folder, inner, names in os.walk(top):
        here = Path(folder)
        inner[:] = sorted(
            name
            for name in inner
            if not name.startswith(".")
            and name not in _SKIPPED_FOLDERS
            and not (here / name / "pyvenv.cfg").exists()
            and not _is_ignored(here / name, config)
        )
        for name in sorted(names):
            file = here / name
            # `__main__.py` is a program: importing it would run it.
            if file.suffix == ".py" and name != "__main__.py" and not _is_ignored(file, config):
                yield file


def _is_ignored(path: Path, config: Config) -> bool:
    """A pattern with a slash is compared with the path from the project's root, one without with the name."""
    whole = Path(os.path.relpath(path, config.root)).as_posix()
    return any(
        fnmatchcase(whole if "/" in pattern.rstrip("/") else path.name, pattern.rstrip("/"))
        for pattern in config.ignore_patterns
    )


def place_of(file: Path, config: Config) -> Place:
    """The module that `file`, a real path, is: as the rest of the project would import it."""
    root = _path_root(file, config.root.resolve())
    parts = file.relative_to(root).with_suffix("").parts
    return Place(root, ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts))


def _path_root(file: Path, project: Path) -> Path:
    """The folder above the outermost package, else ``src``, else the project.

    A folder without ``__init__.py`` inside a package belongs to it, so the nearest package upwards counts.
    """
    inside = file.is_relative_to(project)
    for folder in file.parents:
        if folder in (project, project / "src"):
            return folder
        if _is_package(folder):
            return _above(folder, project)
        if not inside:
            return folder
    return project


def _above(package: Path, project: Path) -> Path:
    top = package
    while _is_package(top.parent) and top.parent != project:
        top = top.parent
    return top.parent


def _is_package(folder: Path) -> bool:
    return (folder / "__init__.py").is_file()
