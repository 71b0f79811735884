"""Texts from files and standard input."""

from __future__ import annotations

import sys
from pathlib import Path

from detent.errors import DetentError, InvalidPayload

__all__ = ["read_text"]


def read_text(name: str) -> str:
    """The text in the file `name`, or from standard input for ``-``. UTF-8, with or without a byte order mark.

    Raises `DetentError` when there is no such file, `InvalidPayload` when it is not UTF-8.
    """
    try:
        data = sys.stdin.buffer.read() if name == "-" else Path(name).expanduser().read_bytes()
    except OSError as error:
        raise DetentError(f"{name} cannot be read: {error.strerror}") from error
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        where = "standard input" if name == "-" else name
        raise InvalidPayload(
            f"{where} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}; "
            f"convert it first, for example: iconv -f ISO-8859-1 -t UTF-8"
        ) from None
