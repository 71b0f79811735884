"""Python, detent and the time zones on this machine."""

from __future__ import annotations

import platform
import sys
import zoneinfo
from collections.abc import Iterator

from ..config import Config
from .finding import Finding, failed, good

__all__ = ["check_python"]

OLDEST = (3, 11)


def check_python(config: Config) -> Iterator[Finding]:  # noqa: ARG001  # the same for all projects
    """The versions, and whether schedules find their time zones."""
    from .. import __version__

    there = platform.python_version()
    if sys.version_info[:2] < OLDEST:
        yield failed("python.version", f"Python {there} is too old", "install Python 3.11 or newer", version=there)
    else:
        yield good("python.version", f"Python {there}, {sys.executable}", version=there)
    yield good("detent.version", f"detent {__version__}", version=__version__)
    try:
        zoneinfo.ZoneInfo("Europe/Berlin")
    except zoneinfo.ZoneInfoNotFoundError:
        yield failed("python.zones", "there are no time zones, which schedules need", "pip install tzdata")
    else:
        yield good("python.zones", f"{len(zoneinfo.available_timezones()):,} time zones")
