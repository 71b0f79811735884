"""Packages that a project takes from folders and files: a bundle has those alone that lie in the project."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .problems import Problem

__all__ = ["check_local_sources"]

_PYPROJECT = "pyproject.toml"


def check_local_sources(root: Path, project: Mapping[str, Any], text: str) -> Iterator[Problem]:
    """The packages of uv and of poetry that come from a place that is not there.

    Parameters:
      root: the folder of the project as its bundle has it.
      project, text: `pyproject.toml`, read and as it is written.
    """
    tool = project.get("tool", {})
    for name, source in _sources(tool.get("uv", {}).get("sources", {})):
        if source.get("workspace") is True and "workspace" not in tool.get("uv", {}):
            where = "comes from a workspace of uv that lies around the project"
            yield _problem(name, where, _line(text, name, "workspace"))
        elif isinstance(source.get("path"), str):
            yield from _path(root, name, source["path"], text)
    for name, source in _sources(tool.get("poetry", {}).get("dependencies", {})):
        if isinstance(source.get("path"), str):
            yield from _path(root, name, source["path"], text)


def _sources(table: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each source of each package: there may be several, for several machines."""
    if not isinstance(table, Mapping):
        return
    for name, said in table.items():
        # A checkout of detent is brought by whoever deploys, and by workers.
        if name == "detent":
            continue
        for source in said if isinstance(said, list) else [said]:
            if isinstance(source, Mapping):
                yield name, source


def _path(root: Path, name: str, path: str, text: str) -> Iterator[Problem]:
    target = (root / path).resolve()
    line = _line(text, name, path)
    if not target.is_relative_to(root.resolve()):
        yield _problem(name, f"comes from {path}, which lies outside of the project", line)
    elif not target.exists():
        what = f"{name} comes from {path}, which is not in the bundle; correct the path, or what leaves it out"
        yield Problem(_PYPROJECT, line, what, "missing_file")


def _problem(name: str, where: str, line: int | None) -> Problem:
    advice = (
        "a bundle holds the project's folder alone: move the settings of detent up to a folder that holds both, or put "
        "the package into the project"
    )
    return Problem(_PYPROJECT, line, f"{name} {where}; {advice}", "outside")


def _line(text: str, name: str, part: str) -> int | None:
    """The line that says so, or at least names the package."""
    lines = list(enumerate(text.splitlines(), 1))
    both = (number for number, line in lines if name in line and part in line)
    one = (number for number, line in lines if line.lstrip().startswith(name))
    return next(both, next(one, None))
