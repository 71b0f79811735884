"""What a project needs of the machine itself: programs and shared libraries, by name."""

from __future__ import annotations

import ctypes
import ctypes.util
import shutil
from collections.abc import Iterable

from ..errors import DeployError

__all__ = ["check_system_packages", "missing_system_packages"]


def missing_system_packages(names: Iterable[str]) -> list[str]:
    """Those of the `names` that this machine has neither as a program on PATH nor as a shared library.

    Parameters:
      names: of programs (``ffmpeg``) and of libraries, by file (``libsndfile.so.1``) or without its ends (``sndfile``).
    """
    return [name for name in names if shutil.which(name) is None and not _is_library(name)]


def check_system_packages(names: Iterable[str]) -> None:
    """Errors: `DeployError` that names everything of `names` that this machine lacks."""
    missing = missing_system_packages(names)
    if missing:
        raise DeployError(
            f"this machine lacks {', '.join(missing)}, which system_packages of the project names: neither a program "
            "on PATH nor a shared library; install what is missing, for example by the package manager of the system"
        )


def _is_library(name: str) -> bool:
    plain = name.removeprefix("lib").partition(".so")[0].removesuffix(".dylib")
    if ".so" not in name and not name.endswith(".dylib"):
        return ctypes.util.find_library(plain) is not None
    try:
        ctypes.CDLL(name)
    except OSError:
        return False
    return True
