"""Small projects on disk for the tests of deployments."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from detent.config import Config, load_config

TASK = """from detent import task


@task(id="{id}")
def {name}(payload: str) -> str:
    return payload
"""


def write(root: Path, files: Mapping[str, str | bytes]) -> Path:
    """Make files by name below `root`, with what is above them."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


def task(id: str, name: str = "work") -> str:
    """The source of a file with one task."""
    return TASK.format(id=id, name=name)


def config(root: Path, settings: str = "") -> Config:
    """The settings of the project `root`; `settings` is the text of its `detent.toml`."""
    if settings:
        (root / "detent.toml").write_text(settings, encoding="utf-8")
    return load_config(root, {})
