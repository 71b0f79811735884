"""Names of files in a bundle: those that every machine can make, and that mean one file on each of them."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Iterator

__all__ = ["MOST_NAME_BYTES", "doubles", "folded", "name_fault"]

#: Of a whole name and of one part of it, in bytes of UTF-8: what file systems take everywhere.
MOST_NAME_BYTES, MOST_PART_BYTES = 1_000, 255

_RESERVED = frozenset(
    {"aux", "con", "conin$", "conout$", "nul", "prn"}
    | {f"{port}{digit}" for port in ("com", "lpt") for digit in "123456789¹²³"}
)


def folded(name: str) -> str:
    """What stays of a name on file systems that pass over case and the ways to write an accent."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def doubles(names: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Those of the `names` of files that another one stands in the way of, with that one: the same name, one that
    differs in case or accents alone, a file where a folder is needed."""
    files: dict[str, str] = {}
    folders: dict[str, str] = {}
    for name in names:
        key = folded(name)
        other = files.get(key) or folders.get(key)
        files.setdefault(key, name)
        parts = name.split("/")
        for end in range(1, len(parts)):
            folder = "/".join(parts[:end])
            known = folders.setdefault(folded(folder), folder)
            if known != folder:
                other = other or known
            other = other or files.get(folded(folder))
        if other is not None:
            yield name, other


def name_fault(name: str) -> str | None:
    """Why `name`, with ``/`` between its parts, cannot be the name of a file in a bundle; None when it can."""
    try:
        size = len(name.encode())
    except UnicodeEncodeError:
        return "its name is not UTF-8"
    if not name:
        return "its name is empty"
    if size > MOST_NAME_BYTES:
        return f"its name has {size:,} bytes, the most are {MOST_NAME_BYTES:,}"
    if name.startswith("/"):
        return "its name is absolute"
    if "\\" in name:
        return "its name has a backslash, which Windows takes for a folder"
    if ":" in name:
        return "its name has a colon, which Windows takes for a drive or a stream"
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        return "its name has a control character"
    if not unicodedata.is_normalized("NFC", name):
        return "its name is not in Unicode's form NFC"
    return next((fault for part in name.split("/") if (fault := _part_fault(part)) is not None), None)


def _part_fault(part: str) -> str | None:
    if not part:
        return "its name has an empty part"
    if part in (".", ".."):
        return f"its name leads through {part!r}"
    if len(part.encode()) > MOST_PART_BYTES:
        return f"a part of its name has {len(part.encode())} bytes, the most are {MOST_PART_BYTES}"
    if part[-1] in ". ":
        return "a part of its name ends with a dot or a space, which Windows drops"
    if part.partition(".")[0].rstrip().casefold() in _RESERVED:
        return f"{part!r} is the name of a device on Windows"
    return None
