"""The key of an embedded server: made once, kept in the folder of the project, where its owner and their tools look."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from ..errors import ConfigError
from .keys import new_key

__all__ = ["local_key"]


#: What can be sent in a header, and nobody finds by trying.
_KEY = re.compile(r"[!-~]{12,512}")
_MOST_BYTES = 4_096


def local_key(state_dir: Path) -> str:
    """The key in `state_dir`, which is made where there is none; only its owner may read the file.

    A file that somebody else may have put there is not taken: they would know the key. Errors: `ConfigError` for such a
    file, and when the file cannot be written or read.
    """
    path = state_dir / "key"
    try:
        return _found(path) or _made(path)
    except OSError as error:
        raise ConfigError(
            f"the key file {path} cannot be used: {error.strerror}; make it yours, or remove it"
        ) from error


def _found(path: Path) -> str:
    """The key in the file; empty where there is none. Errors: `OSError`, `ConfigError`."""
    if not os.path.lexists(path):
        return ""
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode):
        raise ConfigError(f"the key file {path} is a link or no file, so others may have put it there; remove it")
    if hasattr(os, "getuid") and status.st_uid not in (os.getuid(), path.parent.stat().st_uid):
        raise ConfigError(f"the key file {path} belongs to another user, who knows the key; remove it")
    with os.fdopen(os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
        if status.st_mode & 0o077:
            path.chmod(0o600)
        text = file.read(_MOST_BYTES).decode("utf-8", "replace").strip()
    if text and _KEY.fullmatch(text) is None:
        raise ConfigError(f"the key file {path} does not hold a key; remove it, and a new key is made")
    return text


def _made(path: Path) -> str:
    """A new key in `path`, or the one that another process has put there meanwhile."""
    made = new_key("dev").text
    fresh = path.with_name(f"{path.name}.{os.getpid()}.new")
    fresh.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made + "\n")
        try:
            os.link(fresh, path)
        except FileExistsError:
            found = _found(path)
            if found:
                return found
            fresh.replace(path)
        return made
    finally:
        fresh.unlink(missing_ok=True)
