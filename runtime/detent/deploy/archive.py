"""The form of a bundle: a tar file that can be written in one way only.

It holds regular files, sorted by name, each as a header of the kind `ustar` with everything but name, size and the mode
0644 or 0755 fixed, and its bytes. A name that does not fit has a header of the kind `pax` before it, with that name
alone.
Nothing is compressed, so the hash is that of the contents, whatever the machine, the version of Python or of zlib.
A header that is read must be the one that would be written: what tar can say besides cannot be said in a bundle.
"""

from __future__ import annotations

__all__ = ["BLOCK", "END", "MOST_FILE_BYTES", "header", "padding"]

BLOCK = 512
#: What a bundle ends with.
END = bytes(2 * BLOCK)
#: What eleven octal digits can count.
MOST_FILE_BYTES = 8**11 - 1
_NAME, _PREFIX = 100, 155


def header(name: str, size: int, *, executable: bool) -> bytes:
    """The blocks before the contents of a file.

    Parameters:
      name: with ``/`` between its parts. `size`: in bytes, up to `MOST_FILE_BYTES`.
    """
    encoded = name.encode()
    split = _split(encoded)
    mode = 0o755 if executable else 0o644
    if split is not None:
        return _block(*split, size, mode, b"0")
    record = _record(encoded)
    named = _block(b"", b"detent-long-name", len(record), 0o644, b"x") + record + padding(len(record))
    return named + _block(b"", b"detent-long-name", size, mode, b"0")


def padding(size: int) -> bytes:
    """What fills the last block of `size` bytes."""
    return bytes(-size % BLOCK)


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """`name` as the two fields of a header; None when it does not fit them."""
    if len(name) <= _NAME:
        return b"", name
    cut = name.rfind(b"/", 0, _PREFIX + 1)
    if cut <= 0 or len(name) - cut - 1 > _NAME:
        return None
    return name[:cut], name[cut + 1 :]


def _record(name: bytes) -> bytes:
    """The record of a `pax` header, whose first number counts itself."""
    rest = b" path=" + name + b"\n"
    size = len(rest) + 1
    while len(str(size)) + len(rest) != size:
        size += 1
    return str(size).encode() + rest


def _block(prefix: bytes, name: bytes, size: int, mode: int, kind: bytes) -> bytes:
    fields = [
        name.ljust(_NAME, b"\0"),
        b"%07o\0" % mode,
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        b"%011o\0" % size,
        b"%011o\0" % 0,
        b" " * 8,
        kind,
        bytes(100),
        b"ustar\x0000",
        bytes(64),
        b"%07o\0" % 0,
        b"%07o\0" % 0,
        prefix.ljust(_PREFIX, b"\0"),
        bytes(12),
    ]
    block = b"".join(fields)
    return block[:148] + b"%06o\0 " % sum(block) + block[156:]
