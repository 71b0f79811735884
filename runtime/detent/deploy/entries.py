"""What a bundle is: its files, its hash, its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

__all__ = ["MOST_FILES", "Bundle", "FileEntry"]

#: Of one bundle.
MOST_FILES = 20_000


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file in a bundle: its name with ``/`` between its parts, its size in bytes, whether it may be run, its SHA-256
    in hex."""

    name: str
    bytes: int
    executable: bool
    hash: str


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle on this machine: the tar file at `path`, its SHA-256 in hex, its size in bytes, its files by name, and
    what was left out that people may wonder about (`notes`)."""

    path: Path
    hash: str
    bytes: int
    files: Sequence[FileEntry]
    notes: Sequence[str] = ()
