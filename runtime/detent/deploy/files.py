"""Files that are written whole and checked, or not at all."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from ..errors import InvalidPayload

__all__ = ["write_checked"]


def write_checked(chunks: Iterable[bytes], digest: str, path: Path) -> None:
    """Write `chunks` to `path`; it appears when all is there and is what `digest` (SHA-256) says.

    Errors: `InvalidPayload`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    number, name = tempfile.mkstemp(dir=path.parent, prefix=".coming-")
    try:
        sum_of = hashlib.sha256()
        with os.fdopen(number, "wb") as file:
            for chunk in chunks:
                sum_of.update(chunk)
                file.write(chunk)
        if sum_of.hexdigest() != digest:
            raise InvalidPayload(f"what came is not the bundle {digest}: its hash (SHA-256) is {sum_of.hexdigest()}")
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
