"""Where documentation, skills and templates of rules are: they travel with detent."""

from __future__ import annotations

from pathlib import Path

from .errors import ConfigError

__all__ = ["shipped"]

_PACKAGE = Path(__file__).resolve().parent


def shipped(folder: str) -> Path:
    """The folder ``docs``, ``skills`` or ``rules_templates`` that belongs to this version of detent, installed or in a
    checkout.

    Errors: `ConfigError` when the installation lacks it.
    """
    for place in (_PACKAGE / "_shipped" / folder, *_in_checkout(folder)):
        if place.is_dir():
            return place
    raise ConfigError(
        f"this installation of detent has no folder {folder!r} (looked beside {_PACKAGE}); install detent again"
    )


def _in_checkout(folder: str) -> tuple[Path, ...]:
    """The folder of the checkout that this file is in, which keeps the package under ``runtime``."""
    root = _PACKAGE.parents[1]
    return (root / folder,) if _PACKAGE.parent.name == "runtime" and (root / "pyproject.toml").is_file() else ()
