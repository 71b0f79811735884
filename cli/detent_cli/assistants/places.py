"""Where an assistant keeps what, on each system."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["System", "here"]

#: What one part of a path must be given for: elsewhere there is no such place.
_ONLY = {"{appdata}": "windows", "{support}": "macos"}


@dataclass(frozen=True, slots=True)
class System:
    """A machine and its user: `name` is ``linux``, ``macos`` or ``windows``, `env` the environment variables."""

    name: str
    home: Path
    env: Mapping[str, str]

    def place(self, pattern: str, project: Path, own: str | None = None) -> Path | None:
        """The path that `pattern` stands for; None for one that this system does not have.

        Parameters:
          project: the project's folder. `own`: the variable that names the assistant's own folder.
        """
        for sign, system in _ONLY.items():
            if sign in pattern and self.name != system:
                return None
        values = {
            "home": self.home,
            "config": self._config(),
            "appdata": self._appdata(),
            "support": self.home / "Library/Application Support",
            "code": self._code(),
            "project": project,
        }
        if "{own}" in pattern:
            named = self.env.get(own or "")
            if not named:
                return None
            values["own"] = Path(named)
        return Path(pattern.format_map({name: str(path) for name, path in values.items()}))

    def _config(self) -> Path:
        named = self.env.get("XDG_CONFIG_HOME", "")
        return Path(named) if named and self.name == "linux" else self.home / ".config"

    def _appdata(self) -> Path:
        return Path(self.env.get("APPDATA") or self.home / "AppData/Roaming")

    def _code(self) -> Path:
        folders = {"macos": self.home / "Library/Application Support", "windows": self._appdata()}
        return folders.get(self.name, self._config()) / "Code/User"


def here() -> System:
    """This machine."""
    name = {"darwin": "macos", "win32": "windows"}.get(sys.platform, "linux")
    return System(name, Path.home(), os.environ)
