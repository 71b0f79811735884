"""Names of deployed versions: ``20261122.1``, the day (UTC) and how many deployments of an environment it had seen."""

from __future__ import annotations

import re
from typing import Any

from ..errors import InvalidOptions

__all__ = ["check_version", "is_version", "place_of"]

_VERSION = re.compile(r"[0-9]{8}\.[1-9][0-9]{0,8}")


def is_version(text: str) -> bool:
    """Whether `text` has the form of a version."""
    return _VERSION.fullmatch(text) is not None


def check_version(value: Any, name: str = "version") -> str:
    """`value`, if it has the form of a version. Errors: `InvalidOptions` that names the option."""
    if not isinstance(value, str) or not is_version(value):
        raise InvalidOptions(f"{name} must be a deployed version such as 20261122.1, got {repr(value)[:80]}")
    return value


def place_of(version: str) -> tuple[str, int]:
    """The day of a version and its number, by which versions are in order."""
    day, _, number = version.partition(".")
    return day, int(number)
