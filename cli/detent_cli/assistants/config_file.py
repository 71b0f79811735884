"""A configuration file of somebody else: read as it is, edited in place, written whole or not at all."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from detent.errors import ConfigError
from detent_cli.assistants import jsonc
from detent_cli.assistants.unreadable import Unreadable

__all__ = ["ConfigFile", "write_whole"]

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The file at `path`, of `format` ``json``, ``toml`` or ``yaml``; `content` is None where there is none."""

    path: Path
    format: str
    content: bytes | None

    @classmethod
    def read(cls, path: Path, format: str) -> ConfigFile:
        """The file as it is. Errors: `ConfigError` for one that cannot be read."""
        try:
            return cls(path, format, path.read_bytes())
        except FileNotFoundError:
            return cls(path, format, None)
        except OSError as error:
            raise ConfigError(f"{path} cannot be read: {error.strerror or error}") from None

    def get(self, keys: Sequence[str]) -> Any:
        """The value that `keys` lead to, or None. Errors: `ConfigError` with line and column."""
        if self.content is None:
            return None
        return self._edit(lambda text: self._editor.get(text, keys))

    def put(self, keys: Sequence[str], value: Any) -> bytes:
        """The content with `value` there. Errors: as of `get`."""
        text: str = self._edit(lambda text: self._editor.put(text, keys, value))
        return self._encoded(text)

    def remove(self, keys: Sequence[str]) -> bytes:
        """The content without what is there. Errors: as of `get`."""
        text: str = self._edit(lambda text: self._editor.remove(text, keys))
        return self._encoded(text)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is written down in it."""
        text = self._text.strip()
        return not text or (self.format == "json" and text == "{}")

    @property
    def lenient_line(self) -> int | None:
        """The line of the first comment or trailing comma of a JSON file, which strict readers refuse, or None."""
        if self.format == "json" and not self.is_empty:
            try:
                json.loads(self._text)
            except json.JSONDecodeError as error:
                return error.lineno
        return None

    @property
    def _text(self) -> str:
        content = (self.content or b"").removeprefix(_BOM)
        try:
            return content.decode()
        except UnicodeDecodeError as error:
            raise ConfigError(f"{self.path} is not UTF-8 (byte {error.start}), so it is left alone") from None

    @property
    def _editor(self) -> ModuleType:
        if self.format == "toml":
            from detent_cli.assistants import toml_text

            return toml_text
        if self.format == "yaml":
            from detent_cli.assistants import yaml_text

            return yaml_text
        return jsonc

    def _edit(self, act: Any) -> Any:
        try:
            return act(self._text)
        except Unreadable as error:
            place = "" if error.line is None else f":{error.line}:{error.column}"
            raise ConfigError(f"{self.path}{place}: {error.reason}; the file was left as it is") from None

    def _encoded(self, text: str) -> bytes:
        had_bom = (self.content or b"").startswith(_BOM)
        return (_BOM if had_bom else b"") + text.encode()


def write_whole(path: Path, content: bytes, *, private: bool = False) -> None:
    """Write a file so that nobody ever sees half of it; a link to it stays, and so does who may read it.

    Parameters:
      private: nobody but its owner may read it.
    Errors: `ConfigError` where it cannot be written.
    """
    real = path.resolve()
    try:
        real.parent.mkdir(parents=True, exist_ok=True)
        mode = 0o600 if private else real.stat().st_mode & 0o7777 if real.exists() else None
        number, name = tempfile.mkstemp(dir=real.parent, prefix=f".{real.name}.")
    except OSError as error:
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
    try:
        with os.fdopen(number, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if mode is None:
            mask = os.umask(0)
            os.umask(mask)
            mode = 0o666 & ~mask
        Path(name).chmod(mode)
        Path(name).replace(real)
    except OSError as error:
        with suppress(OSError):
            Path(name).unlink()
        raise ConfigError(f"{path} cannot be written: {error.strerror or error}") from None
