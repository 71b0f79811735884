"""Bundles that came from elsewhere: checked, and taken apart inside one folder.

What is checked is not a list of tricks but one rule: each header has to be the very block that `archive.header` writes
for a name, a size and a mode. Links, devices, sparse files, owners, times, further records have no place in it. Names
are judged apart, since the rule says nothing on them.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from ..errors import DeployError, InvalidBundle
from ..model.limits import BUNDLE_BYTES
from .archive import BLOCK, END, header, padding
from .entries import MOST_FILES, FileEntry
from .names import MOST_NAME_BYTES, doubles, name_fault

__all__ = ["check_bundle", "extract_bundle"]

_CHUNK = 1 << 20
_KINDS = {
    b"1": "a link", b"2": "a symbolic link", b"3": "a device", b"4": "a device", b"5": "a folder", b"6": "a pipe",
    b"7": "a contiguous file", b"S": "a sparse file", b"D": "a list of a folder", b"M": "a part of another archive",
    b"V": "a label", b"L": "a long name of GNU tar", b"K": "a long link of GNU tar", b"g": "a header for all files",
}  # fmt: skip
_COMPRESSED = {
    b"\x1f\x8b": "gzip", b"PK\x03\x04": "zip", b"BZh": "bzip2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7z", b"Rar!": "rar", b"\x04\x22\x4d\x18": "lz4", b"\x1f\x9d": "compress",
}  # fmt: skip
_RECORD = re.compile(rb"[1-9][0-9]{0,4} path=([^\n]+)\n")


@dataclass(frozen=True, slots=True)
class _Found:
    """A file in a bundle, at `start` of the archive."""

    name: str
    bytes: int
    executable: bool
    start: int


def check_bundle(path: Path, digest: str | None = None) -> list[FileEntry]:
    """Read a bundle through without writing anything.

    Parameters:
      path: the file.
      digest: the SHA-256 that it has to have, in hex.

    Returns:
      What it holds, by name.

    Errors: `InvalidBundle` names what is wrong; nothing of the bundle may be used then.
    """
    with _opened(path) as stream:
        _verify(stream, digest)
        entries = []
        for found in _read(stream):
            content = hashlib.sha256()
            for part in _parts(stream, found):
                content.update(part)
            entries.append(FileEntry(found.name, found.bytes, found.executable, content.hexdigest()))
        return entries


def extract_bundle(path: Path, digest: str, into: Path) -> list[FileEntry]:
    """Make the folder `into` with the files of a bundle, whole or not at all.

    Parameters:
      path: the bundle.
      digest: its SHA-256 in hex; it is compared before anything of the bundle is used, and with what was really read.
      into: a folder that does not exist, or is empty; the folder above it is made when it is missing.

    Returns:
      What was written, by name.

    Errors: `InvalidBundle`: what is wrong with the bundle; nothing is left then. `DeployError`: `into` has something in
    it, or cannot be written.
    """
    with _opened(path) as stream:
        _verify(stream, digest)
        # The whole of it is judged before its first file is made.
        for _ in _read(stream):
            pass
        try:
            return _extract(stream, digest, into)
        except OSError as error:
            raise DeployError(
                f"the bundle cannot be taken apart in {into}: {error.strerror or error}; "
                "make room, or make the folder above it writable"
            ) from error


def _extract(stream: BufferedReader, digest: str, into: Path) -> list[FileEntry]:
    if into.is_symlink() or (into.exists() and (not into.is_dir() or any(into.iterdir()))):
        raise DeployError(f"{into} is there already; name a folder that does not exist, or is empty")
    into.parent.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix=f".{into.name[:80]}.", dir=into.parent))
    try:
        entries = [_write(stream, found, place) for found in _read(stream)]
        # The file may have been written to since it was compared.
        _verify(stream, digest)
        place.rename(into)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise
    return entries


def _write(stream: BufferedReader, found: _Found, place: Path) -> FileEntry:
    target = place / found.name
    target.parent.mkdir(parents=True, exist_ok=True)
    content = hashlib.sha256()
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(target, flags, 0o755 if found.executable else 0o644), "wb") as file:
        for part in _parts(stream, found):
            content.update(part)
            file.write(part)
    return FileEntry(found.name, found.bytes, found.executable, content.hexdigest())


def _opened(path: Path) -> BufferedReader:
    try:
        if not path.is_file():
            raise InvalidBundle(f"there is no bundle {path}")
        return path.open("rb")
    except OSError as error:
        raise InvalidBundle(f"the bundle {path} cannot be read: {error.strerror}") from error


def _verify(stream: BufferedReader, digest: str | None) -> None:
    """Compare size and hash; the stream is then at its beginning."""
    size = stream.seek(0, os.SEEK_END)
    if size > BUNDLE_BYTES:
        raise InvalidBundle(f"the bundle has {size:,} bytes, the most are {BUNDLE_BYTES:,}")
    stream.seek(0)
    if digest is not None:
        actual = hashlib.file_digest(stream, "sha256").hexdigest()
        if actual != digest:
            raise InvalidBundle(
                f"the bundle is not the one that was asked for: its SHA-256 is {actual}, expected {digest}; "
                "fetch it again"
            )
        stream.seek(0)


def _read(stream: BufferedReader) -> Iterator[_Found]:
    """The files of an archive, each judged; the stream may be moved between two of them."""
    size = stream.seek(0, os.SEEK_END)
    stream.seek(0)
    start = stream.read(8)
    for sign, kind in _COMPRESSED.items():
        if start.startswith(sign):
            raise InvalidBundle(f"the bundle is compressed ({kind}); a bundle is a plain tar file")
    if size % BLOCK or size < len(END):
        raise InvalidBundle(f"the bundle is cut off: {size:,} bytes are no whole number of blocks of {BLOCK}")
    names: list[str] = []
    at = 0
    while True:
        stream.seek(at)
        block = stream.read(BLOCK)
        if block == bytes(BLOCK):
            break
        found, header_bytes = _judged(stream, block, len(names) + 1)
        if len(names) == MOST_FILES:
            raise InvalidBundle(f"the bundle has more than {MOST_FILES:,} files")
        if names and names[-1] >= found.name:
            order = "twice" if names[-1] == found.name else f"after {names[-1]!r}; files are sorted by name"
            raise InvalidBundle(f"{_said(found.name)} is in the bundle {order}")
        names.append(found.name)
        found = _Found(found.name, found.bytes, found.executable, at + header_bytes)
        at = found.start + found.bytes + len(padding(found.bytes))
        if at > size - len(END):
            raise InvalidBundle(f"the bundle is cut off: {_said(found.name)} says that it has {found.bytes:,} bytes")
        stream.seek(found.start + found.bytes)
        if stream.read(at - found.start - found.bytes).strip(b"\0"):
            raise InvalidBundle(f"there is something behind the contents of {_said(found.name)}")
        yield found
    if size != at + len(END) or block + stream.read(BLOCK) != END:
        raise InvalidBundle("there is something behind the end of the bundle")
    for name, other in doubles(names):
        raise InvalidBundle(
            f"{_said(name)} and {_said(other)} cannot both be made: some machines take them for one name"
        )


def _judged(stream: BufferedReader, block: bytes, number: int) -> tuple[_Found, int]:
    """The file that a header is about, without its place, and the length of the header in bytes."""
    whole = block
    long_name: bytes | None = None
    if block[156:157] == b"x":
        record = _long_name(stream, block, number)
        long_name = record[0]
        block = stream.read(BLOCK)
        whole += record[1] + block
    name = _name(block, number) if long_name is None else _decoded(long_name, number)
    kind = block[156:157]
    if block[257:265] != b"ustar\x0000" and kind not in _KINDS:
        raise InvalidBundle(f"file {number} of the bundle has no header of a tar file; the bundle is damaged")
    if kind != b"0":
        what = _KINDS.get(kind, "of a kind that is not known")
        raise InvalidBundle(f"{_said(name)} is {what}; a bundle holds files only")
    fault = name_fault(name)
    if fault is not None:
        raise InvalidBundle(f"{_said(name)} cannot be a file of a bundle: {fault}")
    size = _number(block[124:136], 11)
    mode = _number(block[100:108], 7)
    if size is None:
        raise InvalidBundle(f"the size of {_said(name)} is not written as a bundle writes it")
    if mode is not None and mode & 0o7000:
        raise InvalidBundle(f"{_said(name)} asks for the rights of its owner (mode {mode:04o}); a bundle cannot")
    executable = mode == 0o755
    if whole != header(name, size, executable=executable):
        raise InvalidBundle(
            f"the header of {_said(name)} says more than name, size and mode 0644 or 0755; make the bundle anew by "
            "`detent deploy`"
        )
    return _Found(name, size, executable, 0), len(whole)


def _long_name(stream: BufferedReader, block: bytes, number: int) -> tuple[bytes, bytes]:
    """The name that a `pax` header gives to the next file, and the blocks that it stands in."""
    size = _number(block[124:136], 11)
    if size is None or size > MOST_NAME_BYTES + BLOCK:
        raise InvalidBundle(f"the header before file {number} is too long; it may hold a name and nothing else")
    data = stream.read(size)
    filling = stream.read(len(padding(size)))
    record = _RECORD.fullmatch(data)
    if record is None:
        raise InvalidBundle(f"the header before file {number} holds more than a name")
    return record[1], data + filling


def _name(block: bytes, number: int) -> str:
    name, prefix = block[:100].rstrip(b"\0"), block[345:500].rstrip(b"\0")
    if block[257:262] != b"ustar":
        prefix = b""
    return _decoded(prefix + b"/" + name if prefix else name, number)


def _decoded(name: bytes, number: int) -> str:
    try:
        return name.decode()
    except UnicodeDecodeError:
        raise InvalidBundle(f"the name of file {number} of the bundle is not UTF-8") from None


def _number(field: bytes, digits: int) -> int | None:
    """An octal number of exactly so many digits; None for anything else."""
    text = field[:-1]
    if len(text) != digits or field[-1:] != b"\0" or any(byte not in b"01234567" for byte in text):
        return None
    return int(text, 8)


def _parts(stream: BufferedReader, found: _Found) -> Iterator[bytes]:
    stream.seek(found.start)
    left = found.bytes
    while left:
        part = stream.read(min(left, _CHUNK))
        if not part:
            raise InvalidBundle(f"the bundle is cut off within {_said(found.name)}")
        left -= len(part)
        yield part


def _said(name: str) -> str:
    return repr(name if len(name) <= 120 else f"{name[:120]}...")
