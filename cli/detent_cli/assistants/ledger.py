"""What was installed for assistants: `.detent/agents.lock.json` of a project, and the same for a user."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct, field

from detent_cli.assistants.config_file import write_whole

__all__ = ["Installed", "Ledger", "hash_of", "ledger_of"]


class Installed(Struct, omit_defaults=True):
    """A file, or a block in one, as it was written: `kind` is ``skill`` (a file of the skill `name`), ``rules`` (a file
    of the rule set `name`) or ``block``. `hash` is that of what was written, `version` that of detent then."""

    path: str
    kind: str
    name: str
    hash: str
    version: str
    link: bool = False


class _Book(Struct):
    installed: list[Installed] = field(default_factory=list)


class Ledger:
    """What was installed below the folder `root`, written down in `file`."""

    def __init__(self, root: Path, file: Path) -> None:
        self._root = root
        self._file = file

    def all(self, kind: str | None = None) -> list[Installed]:
        """What is recorded, of one kind or all; nothing where the record was damaged."""
        try:
            book = msgspec.json.decode(self._file.read_bytes(), type=_Book)
        except (OSError, msgspec.DecodeError):
            return []
        return [each for each in book.installed if kind is None or each.kind == kind]

    def find(self, path: Path) -> Installed | None:
        """What is recorded of a file."""
        name = self._name(path)
        return next((each for each in self.all() if each.path == name), None)

    def keep(self, path: Path, kind: str, name: str, content: bytes, version: str, *, link: bool = False) -> None:
        """Record a file that was written."""
        made = Installed(self._name(path), kind, name, hash_of(content), version, link)
        self._write([*(each for each in self.all() if each.path != made.path), made])

    def forget(self, path: Path) -> None:
        """A file is not there any more."""
        name = self._name(path)
        self._write([each for each in self.all() if each.path != name])

    def place(self, installed: Installed) -> Path:
        """Where it is."""
        return self._root / installed.path

    def _name(self, path: Path) -> str:
        try:
            return path.relative_to(self._root).as_posix()
        except ValueError:
            return str(path)

    def _write(self, installed: list[Installed]) -> None:
        if self._file.parent == self._root / ".detent":
            from detent.config import ensure_state_dir, load_config

            ensure_state_dir(load_config(self._root))
        ordered = sorted(installed, key=lambda each: each.path)
        write_whole(self._file, msgspec.json.format(msgspec.json.encode(_Book(ordered))) + b"\n")


def ledger_of(scope: str, root: Path) -> Ledger:
    """The record of a project's folder, or, for the scope ``user``, of a home.

    Errors: `ConfigError` where the folder for it cannot be made.
    """
    if scope == "user":
        from detent_cli.assistants.records import state_folder

        return Ledger(root, state_folder() / "agents.lock.json")
    from detent.config import load_config

    config = load_config(root)
    return Ledger(config.root, config.state_dir / "agents.lock.json")


def hash_of(content: bytes) -> str:
    """What tells one content from another, whatever its line ends."""
    return sha256(content.replace(b"\r\n", b"\n")).hexdigest()
