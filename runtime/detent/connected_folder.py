"""A folder that is about a project of a server: `project = "SLUG"` in its settings."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from detent.config import read_settings
from detent.errors import ConfigError
from detent.scaffold import Change

__all__ = ["connect_folder"]


def connect_folder(root: Path, slug: str) -> Change:
    """Let the settings of `root` say that it is the project `slug`; all else in them stays, byte for byte.

    Returns:
      What became of the file. Doing it again changes nothing.

    Raises:
      ConfigError: `root` has no settings, or they cannot be read or written.
    """
    settings = read_settings(root)
    if settings is None:
        raise ConfigError(f"{root} has no settings yet; make them with `detent init`")
    file, before = settings.file, settings.table.get("project")
    if before == slug:
        return Change(file, "kept", f"is the project {slug} already")
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        content = file.read_bytes()
        start = b"\xef\xbb\xbf" if content.startswith(b"\xef\xbb\xbf") else b""
        document = tomlkit.parse(content.removeprefix(start).decode())
        table = document if file.name == "detent.toml" else document["tool"]["detent"]
        table["project"] = slug
        _replace(file, start + tomlkit.dumps(document).encode())
    except (TOMLKitError, UnicodeDecodeError) as error:
        raise ConfigError(f'{file} cannot be edited ({error}); write project = "{slug}" into it yourself') from error
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}; mend that and run detent init again") from error
    was = "" if before is None else f", was {before}"
    return Change(file, "changed", f"project is {slug}{was}")


def _replace(file: Path, content: bytes) -> None:
    """Write a file in one step, so that a full disk leaves the old one; its mode stays."""
    target = file.resolve()
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as written:
            written.write(content)
        shutil.copymode(target, name)
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
