"""The key of an embedded server: made once, kept in the folder of the project, where its owner and their tools look."""

from __future__ import annotations

import os
from pathlib import Path

from ..errors import ConfigError
from .keys import new_key

__all__ = ["local_key"]


def local_key(state_dir: Path) -> str:
    """The key in `state_dir`, which is made where there is none; only its owner may read the file.

    Errors: `ConfigError` when the file cannot be written or read.
    """
    path = state_dir / "key"
    try:
        found = path.read_text("utf-8").strip() if path.exists() else ""
        if found:
            if path.stat().st_mode & 0o077:
                path.chmod(0o600)
            return found
        made = new_key("dev").text
        fresh = path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(made + "\n")
        fresh.replace(path)
    except OSError as error:
        raise ConfigError(
            f"the key file {path} cannot be used: {error.strerror}; make it yours, or remove it"
        ) from error
    return made
