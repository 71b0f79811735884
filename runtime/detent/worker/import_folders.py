"""Where the modules of a project are, whose own package is in no environment."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

__all__ = ["import_folders"]


def import_folders(project: Path) -> list[Path]:
    """The folders that have to be on ``sys.path``, in this order, so that the project's modules are found as they are
    where it is installed: its own folder, ``src``, and those that its build system is told of.

    Parameters:
      project: its folder, with `pyproject.toml` where there is one.
    """
    try:
        table = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        table = {}
    root = project.resolve()
    found = [root]
    for name in ("src", *_told(table.get("tool", {}))):
        folder = (root / name).resolve()
        if folder.is_dir() and folder.is_relative_to(root) and folder not in found:
            found.append(folder)
    return found


def _told(tools: dict[str, Any]) -> Iterator[str]:
    setuptools = tools.get("setuptools", {})
    if isinstance(setuptools, dict):
        places = setuptools.get("package-dir", {})
        yield from (str(folder) for name, folder in places.items() if name == "")
        packages = setuptools.get("packages", {})
        if isinstance(packages, dict):
            yield from (str(folder) for folder in packages.get("find", {}).get("where", []))
    wheel = tools.get("hatch", {}).get("build", {}).get("targets", {}).get("wheel", {})
    for package in wheel.get("packages", []):
        yield str(Path(str(package)).parent)
    for package in tools.get("poetry", {}).get("packages", []):
        if isinstance(package, dict) and isinstance(package.get("from"), str):
            yield package["from"]
    yield from (str(root) for root in _listed(tools.get("uv", {}).get("build-backend", {}).get("module-root")))
    pdm = tools.get("pdm", {}).get("build", {}).get("package-dir")
    yield from (str(root) for root in _listed(pdm))


def _listed(value: object) -> list[object]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
