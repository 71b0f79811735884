"""What was installed where, kept with the user's state: how it was before, so that it can be so again."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import Struct

from detent_cli.assistants.config_file import write_whole
from detent_cli.assistants.hunk import Hunk

__all__ = ["Record", "Records", "state_folder"]


class Record(Struct, kw_only=True):
    """An entry: of which client and scope, in which file, under which keys, and how the file was before and after.

    `before` is the content, or None where there was no file; `backup` is the copy that was made of it.
    """

    client: str
    scope: str
    path: str
    format: str
    keys: list[str]
    before: str | None
    after_hash: str
    removed: str = ""
    added: str = ""
    lead: str = ""
    rest: str = ""
    backup: str | None = None
    version: str = ""

    @property
    def content_before(self) -> bytes | None:
        return None if self.before is None else b64decode(self.before)

    @property
    def hunk(self) -> Hunk:
        return Hunk(self.lead, self.removed, self.added, self.rest)

    def made(self, content: bytes) -> bool:
        """Whether `content` is what was written then."""
        return sha256(content).hexdigest() == self.after_hash

    @classmethod
    def of(cls, before: bytes | None, after: bytes, **values: object) -> Record:
        """The record of an edit from `before` to `after`."""
        hunk = Hunk.between(before or b"", after)
        return cls(
            **values,  # type: ignore[arg-type]  # the other fields, by their names
            before=None if before is None else b64encode(before).decode(),
            after_hash=sha256(after).hexdigest(),
            lead=hunk.before,
            removed=hunk.removed,
            added=hunk.added,
            rest=hunk.after,
        )


class Records:
    """The records of a user: `folder` holds them and the backups."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder or state_folder()
        self._file = self._folder / "assistants.json"

    def all(self) -> list[Record]:
        """Every record; none where the file is not there or was damaged."""
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=list[Record])
        except (OSError, msgspec.DecodeError):
            return []

    def find(self, path: Path, keys: list[str]) -> Record | None:
        """The record of an entry."""
        return next((each for each in self.all() if (each.path, each.keys) == (str(path), keys)), None)

    def keep(self, record: Record) -> None:
        """Keep it, in the place of one for the same entry."""
        others = [each for each in self.all() if (each.path, each.keys) != (record.path, record.keys)]
        self._write([*others, record])

    def forget(self, record: Record) -> None:
        """Forget it."""
        others = [each for each in self.all() if (each.path, each.keys) != (record.path, record.keys)]
        self._write(others)

    def back_up(self, path: Path, content: bytes) -> Path:
        """A copy of a file as it was before it was touched first; where it is."""
        name = f"{sha256(str(path).encode()).hexdigest()[:12]}-{path.name}"
        place = self._folder / "backups" / name
        if not place.exists():
            write_whole(place, content, private=True)
        return place

    def _write(self, records: list[Record]) -> None:
        # Settings of assistants hold keys of other servers.
        write_whole(self._file, msgspec.json.format(msgspec.json.encode(records)), private=True)


def state_folder() -> Path:
    """Where the user's state of detent is kept."""
    from platformdirs import user_state_path

    named = os.environ.get("DETENT_STATE_DIR")
    return Path(named) if named else user_state_path("detent", appauthor=False)
